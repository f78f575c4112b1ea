//! Commands for the user to paste into a shell.

use std::env;
use std::path::Path;

/// This program, as it was called.
pub(crate) fn program() -> String {
    env::args().next().unwrap_or_else(|| "trip99".to_owned())
}

/// The command that replays a trace.
pub(crate) fn replay(program: &str, trace: &Path, options: &str) -> String {
    format!("{} replay {} {options}", quote(program), quote(&trace.display().to_string()))
}

pub(crate) fn quote(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:=@%,\\".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_line_survives_a_shell() {
        let line = replay("target/release/trip99", Path::new("/tmp/my traces/it's.csv"), "--probes 5");
        assert_eq!(line, r"target/release/trip99 replay '/tmp/my traces/it'\''s.csv' --probes 5");
    }
}
