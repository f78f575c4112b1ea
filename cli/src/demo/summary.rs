//! What the demo says at the end.

use crate::demo::engine::Tally;
use crate::demo::play::Play;
use crate::demo::verdict::Episode;
use crate::failure::Failure;
use crate::show::{show_count, show_ns, show_timeline, write_lines};
use crate::timeline::Timeline;
use console::{Term, style};
use std::io::{self, Write};
use trip99::{Event, State};

/// Prints all of it. `last_lines` come after the counts.
pub(crate) fn conclude(
    play: &Play,
    episodes: &[Episode],
    tally: &Tally,
    last_lines: [(&'static str, String); 2],
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let (_, width) = Term::stdout().size_checked().unwrap_or((0, 80));
    let timeline = timeline(&play.happened, play.first_ns, play.now_ns);
    writeln!(out, "\n{}\n", show_timeline(&timeline, usize::from(width).min(120), play.now_ns - play.first_ns))?;
    writeln!(out, "{}\n", show_episodes(episodes))?;
    let halts = play.halts.show(play.now_ns).map(|text| ("halted", text));
    Ok(write_lines(&mut out, show_totals(tally).into_iter().chain(halts).chain(last_lines))?)
}

fn timeline(events: &[Event], first_ns: u64, end_ns: u64) -> Timeline {
    let mut timeline = Timeline::new();
    let (mut state, mut since_ns) = (events.first().map_or(State::Closed, |event| event.from), first_ns);
    for event in events {
        timeline.add(state, since_ns, event.t_ns);
        (state, since_ns) = (event.to, event.t_ns);
    }
    timeline.add(state, since_ns, end_ns.max(since_ns));
    timeline
}

/// A table of the troubles, a line for each.
fn show_episodes(episodes: &[Episode]) -> String {
    let header = format!(
        "  {:<15} {:>10}  {:<20} {:>10} {:>16}",
        "trouble", "noticed in", "by rule", "paused for", "resumed after it"
    );
    let mut table = style(header).dim().to_string();
    for Episode { trouble, trip, resumed_ns } in episodes {
        let between = |from_ns: Option<u64>, to_ns: Option<u64>| match (from_ns, to_ns) {
            (Some(from_ns), Some(to_ns)) => show_ns(to_ns.saturating_sub(from_ns)),
            _ => "never".to_owned(),
        };
        let trip_ns = trip.map(|(trip_ns, _)| trip_ns);
        table += &format!(
            "\n  {:<15} {:>10}  {:<20} {:>10} {:>16}",
            trouble.phase.title(),
            between(Some(trouble.start_ns), trip_ns),
            trip.map_or("", |(_, reason)| reason.name()),
            between(trip_ns, *resumed_ns),
            between(trouble.end_ns, *resumed_ns),
        );
    }
    table
}

/// What became of orders and cancels: lines of name and text.
fn show_totals(tally: &Tally) -> [(&'static str, String); 3] {
    let Tally { sent, answered, failed, unanswered, refused, cancels, cancels_in_pauses, cancels_answered } =
        tally.clone();
    let sent = format!(
        "{} sent: {} answered, {} failed, {} never answered",
        show_count(sent),
        show_count(answered),
        show_count(failed),
        show_count(unanswered)
    );
    let cancels = format!(
        "{} sent, {} of them in pauses: none refused, {} sent again",
        show_count(cancels),
        show_count(cancels_in_pauses),
        show_count(cancels - cancels_answered)
    );
    [("orders", sent), ("refused", format!("{} orders, while paused", show_count(refused))), ("cancels", cancels)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::script::Phase;
    use crate::demo::verdict::Trouble;
    use trip99::Reason;

    #[test]
    fn a_trouble_shows_how_soon_it_was_noticed_and_how_long_the_pause_was() {
        let trouble = Trouble { phase: Phase::Slow, start_ns: 1_000_000_000, end_ns: Some(4_000_000_000) };
        let trip = Some((1_220_000_000, Reason::Latency));
        let good = Episode { trouble, trip, resumed_ns: Some(4_500_000_000) };
        let lasting = Episode { resumed_ns: None, ..good };
        let missed = Episode { trip: None, ..lasting };
        let table = show_episodes(&[good, lasting, missed]);
        let words: Vec<String> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(words[1], "slow answers 220 ms latency 3.28 s 500 ms");
        assert_eq!(words[2], "slow answers 220 ms latency never never");
        assert_eq!(words[3], "slow answers never never never");
    }
}
