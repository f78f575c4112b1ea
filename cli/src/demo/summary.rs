//! What the demo says at the end.

use crate::demo::engine::Tally;
use crate::demo::verdict::Episode;
use crate::operate::Place;
use crate::show::{show_count, show_ns};
use console::style;
use std::path::Path;

/// A table of the troubles, a line for each.
pub(crate) fn show_episodes(episodes: &[Episode]) -> String {
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

/// What became of orders and cancels, and what to do with the trace: lines of name and text.
pub(crate) fn show_totals(tally: &Tally) -> [(&'static str, String); 3] {
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

/// How to watch and halt the breaker from another shell.
pub(crate) fn show_page(program: &str, page: &Place) -> [(&'static str, String); 5] {
    let (program, argument) = (quote(program), quote(&page.argument()));
    [
        ("page", format!("{}; from another shell:", page.path())),
        ("", format!("{program} status {argument}")),
        ("", format!("{program} events {argument} --follow")),
        ("", format!("{program} halt {argument} --reason 'prices look wrong'")),
        ("", format!("{program} resume {argument}")),
    ]
}

/// The command that replays a trace, to be pasted into a shell.
pub(crate) fn show_replay(program: &str, trace: &Path, options: &str) -> String {
    format!("{} replay {} {options}", quote(program), quote(&trace.display().to_string()))
}

fn quote(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:=@%,\\".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
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

    #[test]
    fn the_replay_line_survives_a_shell() {
        let line = show_replay("target/release/trip99", Path::new("/tmp/my traces/it's.csv"), "--probes 5");
        assert_eq!(line, r"target/release/trip99 replay '/tmp/my traces/it'\''s.csv' --probes 5");
    }
}
