//! What would have differed with other settings, pause by pause.

mod json;
mod text;

use super::feed::Feed;
use super::html::Over;
use super::oddities::warn_of_replay;
use crate::failure::Failure;
use crate::show::show_ns;
use crate::timeline::Timeline;
use crate::warnings::Warnings;
pub(super) use json::write_json;
pub(super) use text::write_text;
use trip99::{Config, Event, State};
use trip99_logs::fault::{Fate, Injection, Watched};
use trip99_logs::pauses::{Difference, Pause, Pauses, differences};
use trip99_logs::profile::Profile;
use trip99_logs::replay::{Replay, Report, Summary};
use trip99_logs::report::Thinner;

/// What the report needs of one of the two replays.
struct Side {
    pauses: Pauses,
    timeline: Timeline,
}

impl Report for Side {
    type Error = Failure;

    fn begin(&mut self, _: &Config) -> Result<(), Failure> {
        Ok(())
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.pauses.span(state, from_ns);
        self.timeline.add(state, from_ns, to_ns);
    }

    fn transition(&mut self, event: &Event) -> Result<(), Failure> {
        self.pauses.transition(event);
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> Result<(), Failure> {
        Ok(())
    }
}

/// One of the two replays when it is over.
struct Played {
    config: Config,
    summary: Summary,
    timeline: Timeline,
    fates: Vec<Fate>,
    pauses: Vec<Pause>,
}

/// Both replays when they are over.
pub(super) struct Compared {
    old: Played,
    new: Played,
    differences: Vec<Difference>,
    injections: Vec<String>,
}

/// Replays the rows by both settings, side by side, so that the log is read once and isn't held in memory.
pub(super) fn compare(
    [old, new]: [&Config; 2],
    feed: &mut Feed<'_>,
    injections: &[Injection],
    mut thinner: Option<&mut Thinner>,
) -> Result<Compared, Failure> {
    let spans = feed.spans();
    let begin = |config: &Config| {
        let side = Side { pauses: Pauses::default(), timeline: Timeline::new() };
        Replay::new(config, Watched::new(side, spans.iter().copied()))
    };
    let (mut old_replay, mut new_replay) = (begin(old)?, begin(new)?);
    for row in feed.by_ref() {
        let row = row?;
        thinner.iter_mut().for_each(|thinner| thinner.take(&row));
        old_replay.push(row)?;
        new_replay.push(row)?;
    }
    feed.finish()?;
    let end = |replay: Replay<Watched<Side>>, config: &Config| -> Result<Played, Failure> {
        let (summary, watched) = replay.finish()?;
        let (side, fates) = watched.into_parts();
        let pauses = side.pauses.finish(&summary);
        Ok(Played { config: config.clone(), summary, timeline: side.timeline, fates, pauses })
    };
    let (old, new) = (end(old_replay, old)?, end(new_replay, new)?);
    let injections = injections.iter().map(ToString::to_string).collect();
    let differences = differences(old.pauses.clone(), new.pauses.clone());
    Ok(Compared { old, new, differences, injections })
}

impl Compared {
    /// Keeps what is odd about the log and the two replays: what both settings find once, and what one finds with its name.
    pub(super) fn warn(&self, profile: &Profile, warnings: &mut Warnings) {
        let [old, new] = [&self.old, &self.new].map(|side| {
            let mut own = Warnings::default();
            profile.warnings(&side.config, show_ns).iter().for_each(|warning| own.keep(warning));
            warn_of_replay(&side.config, &side.summary, &mut own);
            own.texts().to_vec()
        });
        for text in &old {
            match new.contains(text) {
                true => warnings.keep(text),
                false => warnings.keep(format_args!("by the old settings: {text}")),
            }
        }
        for text in new.iter().filter(|text| !old.contains(text)) {
            warnings.keep(format_args!("by the new settings: {text}"));
        }
    }

    /// The settings that differ, each with its old and its new value.
    fn settings(&self) -> impl Iterator<Item = (&'static str, String, String)> {
        let differ = Config::SETTINGS.iter().filter(|of| of.get(&self.old.config) != of.get(&self.new.config));
        differ.map(|of| (of.name(), of.show(&self.old.config), of.show(&self.new.config)))
    }

    /// Both replays for a report in HTML, by the names of their settings.
    pub(super) fn over<'a>(&'a self, [old, new]: [&'a str; 2]) -> [Over<'a>; 2] {
        let over = |settings, rules, played: &'a Played| {
            let Played { config, summary, pauses, .. } = played;
            Over { settings, rules, config, summary, pauses }
        };
        [over(old, "old rules", &self.old), over(new, "new rules", &self.new)]
    }

    fn faults(&self) -> impl Iterator<Item = (&str, &Fate, &Fate)> {
        let fates = self.old.fates.iter().zip(&self.new.fates);
        self.injections.iter().zip(fates).map(|(text, (old, new))| (text.as_str(), old, new))
    }
}

/// Which side has it.
fn sides(difference: &Difference) -> &'static str {
    match (difference.old.is_empty(), difference.new.is_empty()) {
        (false, true) => "old",
        (true, _) => "new",
        (false, false) => "both",
    }
}
