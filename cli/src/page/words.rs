//! What a page's figures mean, in sentences.

use crate::page::note;
use crate::page::reading::Reading;
use crate::page::standing::Standing;
use crate::show::{escape, evidence_and_samples, show_count, show_counted, show_ns};
use console::style;
use trip99::{HaltNote, State};

impl Reading {
    /// Why it stands as it does, in one line; empty if all is well.
    pub(crate) fn why(&self) -> String {
        let standing = self.standing();
        let mut parts: Vec<String> = Vec::new();
        match standing {
            Standing::Gone | Standing::Ended => parts.extend(self.comes_back_words()),
            Standing::Unwatched if self.stopped => parts.push("a signal has stopped the owner".to_owned()),
            Standing::Unwatched => parts.push("the owner is silent".to_owned()),
            Standing::Unreadable => parts.push("the gate holds what no version writes".to_owned()),
            _ => {}
        }
        if self.has_owner() && self.halted {
            parts.push(self.halted_by());
        }
        match standing {
            Standing::Paused => parts.extend(self.change_words()),
            Standing::Testing => parts.extend(self.trials()),
            _ => {}
        }
        parts.extend(
            self.show_retry().filter(|_| standing == Standing::Paused).map(|retry| format!("next trial {retry}")),
        );
        let oddities =
            [(self.shadow, "in shadow nothing is refused"), (self.replaced, "its file was replaced or removed")];
        parts.extend(oddities.iter().filter(|(is_so, _)| *is_so).map(|(_, text)| (*text).to_owned()));
        parts.join("; ")
    }

    /// By whom and why it is halted.
    fn halted_by(&self) -> String {
        if self.holders.is_empty() {
            return "resumed, but the owner hasn't polled since".to_owned();
        }
        let whose = |note: &HaltNote| format!("{}: {}", note::name(note), escape(note.reason_or_none()));
        format!("by {}", self.holders.iter().map(whose).collect::<Vec<_>>().join("; "))
    }

    /// What led to the state.
    fn change_words(&self) -> Option<String> {
        let event = self.last_change.as_ref()?;
        let evidence = evidence_and_samples(event, self.in_force.quantile_ppm(event)).map(|text| format!(": {text}"));
        Some(format!("by {}{}", event.reason, evidence.unwrap_or_default()))
    }

    fn trials(&self) -> Option<String> {
        let snapshot = self.snapshot.as_ref()?;
        let needed = self.in_force.config.as_ref().map(|config| format!(" of {}", show_count(config.probes.into())));
        Some(format!("{}{} trials good", snapshot.trials_good, needed.unwrap_or_default()))
    }

    /// What the page would come back as, if it has no owner.
    pub(crate) fn comes_back_words(&self) -> Option<String> {
        if self.has_owner() {
            return None;
        }
        let Some(back) = &self.comes_back else {
            return Some("an owner would refuse it, as it holds what no version writes".to_owned());
        };
        let state = match (back.state, back.pause_left_ns) {
            (State::Closed, _) => "closed, as the last owner ended cleanly".to_owned(),
            (_, Some(0)) => "open, with its pause over".to_owned(),
            (_, Some(left_ns)) => format!("open, with {} left of its pause", show_ns(left_ns)),
            (_, None) => "open, for a whole pause".to_owned(),
        };
        let names = back.holders.iter().map(ToString::to_string).collect::<Vec<_>>();
        let names = if names.is_empty() { "somebody".to_owned() } else { names.join(", ") };
        let halted = if back.halted { format!("; halted by {names}") } else { String::new() };
        Some(format!("would come back as {state}{halted}"))
    }

    /// Whether orders pass now.
    pub(crate) fn show_orders(&self) -> String {
        match self.state {
            _ if self.halted && !self.holders.is_empty() => {
                format!("refused: halted by {}", note::names(&self.holders))
            }
            _ if !self.has_owner() && !self.refuses => {
                "refused by nobody: the page has no owner, and gates of other processes may let orders pass".to_owned()
            }
            _ if !self.has_owner() => "refused: the page has no owner".to_owned(),
            _ if self.halted => "refused, until the owner polls; nobody holds a halt any more".to_owned(),
            None => "refused: the gate holds what no version writes".to_owned(),
            _ if self.unwatched && !self.shadow => {
                "refused, until the owner polls: it is silent, and nobody judges".to_owned()
            }
            _ if !self.refuses && self.shadow => "pass: in shadow nothing is refused but by a halt".to_owned(),
            Some(State::Closed) => "pass".to_owned(),
            Some(State::HalfOpen) => "refused, but for trials".to_owned(),
            Some(State::Open) => "refused: open".to_owned(),
        }
    }

    /// When the next trial is due.
    pub(crate) fn show_retry(&self) -> Option<String> {
        let snapshot = self.snapshot.as_ref().filter(|_| self.state == Some(State::Open) && self.has_owner())?;
        let text = match snapshot.retry_at_ns {
            u64::MAX => "none is due".to_owned(),
            retry_at_ns => {
                let seen_ago_ns = self.seen_ago_ns().unwrap_or(0);
                match retry_at_ns.saturating_sub(snapshot.now_ns).saturating_sub(seen_ago_ns) {
                    0 => "due".to_owned(),
                    left_ns => format!("in {}", show_ns(left_ns)),
                }
            }
        };
        Some(text)
    }

    pub(crate) fn show_owner(&self) -> String {
        let state = match self.owner_state() {
            "alive" => style("alive").green(),
            "gone" => style("gone").red(),
            other => style(other).yellow(),
        };
        let seen = self.seen_ago_ns().map_or("never seen".to_owned(), |ago_ns| format!("seen {} ago", show_ns(ago_ns)));
        let pid = match self.pid() {
            0 => "a process that can't be told".to_owned(),
            pid => format!("process {pid}"),
        };
        let started = self.owner.as_ref().and_then(|owner| owner.started);
        let started = started.map(|started| format!(", started {started}")).unwrap_or_default();
        format!("{pid}, {state}, {seen}{started}")
    }

    /// How many orders rest at the venue, if the engine tells.
    pub(crate) fn show_resting(&self) -> Option<String> {
        self.resting.map(|count| format!("{} at the venue", show_counted(count, "order")))
    }
}
