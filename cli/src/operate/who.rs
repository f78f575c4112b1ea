//! Who halts or resumes, and why: the arguments of both.

use crate::failure::Failure;
use clap::{Arg, ArgMatches, value_parser};
use std::ffi::OsString;
use trip99::shared::login;
use trip99::{HaltNote, Holder};
use trip99_labels::is_unseen;

/// The option `--as`.
pub(crate) fn as_arg(help: &'static str) -> Arg {
    Arg::new("as").long("as").value_name("NAME").help(help)
}

/// Who acts: the name given, or who logged in.
pub(crate) fn own(matches: &ArgMatches) -> Result<Holder, Failure> {
    let given = matches.get_one::<String>("as").map(|name| Holder::new(name));
    given.map_or_else(|| Ok(login()), |holder| holder.map_err(|error| Failure::new(format_args!("--as {error}"))))
}

/// The option `--reason`. Any text will do, even one that isn't UTF-8.
pub(crate) fn reason_arg() -> Arg {
    let arg = Arg::new("reason").long("reason").value_name("TEXT").allow_hyphen_values(true);
    arg.value_parser(value_parser!(OsString))
}

/// A reason that the page can keep, and what was changed for that.
pub(crate) struct Reason {
    /// Empty if there is none.
    pub(crate) text: String,
    pub(crate) warnings: Vec<String>,
}

impl Reason {
    pub(crate) fn read(matches: &ArgMatches) -> Self {
        Self::of(matches.get_one::<OsString>("reason"))
    }

    fn of(given: Option<&OsString>) -> Self {
        let mut warnings = Vec::new();
        let mut text = given.map_or(String::new(), |given| given.to_string_lossy().into_owned());
        if given.is_some_and(|given| given.to_str().is_none()) {
            warnings.push("--reason isn't UTF-8; what isn't is replaced by \u{fffd}".to_owned());
        }
        if text.chars().all(|letter| letter.is_whitespace() || is_unseen(letter)) {
            text.clear();
        }
        let max = HaltNote::MAX_REASON_BYTES;
        if text.len() > max {
            let end = (0..=max).rfind(|&end| text.is_char_boundary(end)).unwrap_or(0);
            warnings.push(format!("--reason has {} bytes; the first {end} are kept", text.len()));
            text.truncate(end);
        }
        Self { text, warnings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn read(bytes: &[u8]) -> (String, Vec<String>) {
        let Reason { text, warnings } = Reason::of(Some(&OsString::from_vec(bytes.to_vec())));
        (text, warnings)
    }

    #[test]
    fn any_text_is_a_reason() {
        assert_eq!(read("-5 % on \u{20ac}".as_bytes()), ("-5 % on \u{20ac}".to_owned(), vec![]));
        for blank in ["", " \t\n", "\u{200b}\u{202e} \x1b"] {
            assert_eq!(read(blank.as_bytes()), (String::new(), vec![]), "{blank:?}");
        }
        assert_eq!(read(b"a\xffb").0, "a\u{fffd}b");
        assert!(read(b"a\xffb").1[0].contains("isn't UTF-8"));
        // Between characters.
        let (text, warnings) = read(format!("x{}", "\u{20ac}".repeat(72)).as_bytes());
        assert_eq!((text.len(), warnings), (214, vec!["--reason has 217 bytes; the first 214 are kept".to_owned()]));
        // What isn't UTF-8 gets longer, and is cut after that.
        assert_eq!((read(&[0xff; 73]).0.len(), read(&[0xff; 73]).1.len()), (216, 2));
        assert_eq!(read(&[b'x'; 216]).1, [""; 0]);
    }
}
