//! What the command's arguments ask for.

use crate::effort::Effort;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Everything but the judgement.
    Compare(Effort),
    /// All timing, and of it the goals' table alone, which isn't kept.
    Goals,
    /// The table on many breakers alone, and its goals.
    Many,
    /// The tables on detection alone, which need no calm machine.
    Detection,
    /// The tables and plots of docs/judgement.md: writes them, or only checks them.
    Judgement { is_check: bool },
}

impl Command {
    /// From the arguments, less the first.
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<_> = arguments.collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self::Compare(Effort::Full)),
            ["quick"] => Ok(Self::Compare(Effort::Quick)),
            ["goals"] => Ok(Self::Goals),
            ["many"] => Ok(Self::Many),
            ["detection"] => Ok(Self::Detection),
            ["judgement"] => Ok(Self::Judgement { is_check: false }),
            ["judgement", "check"] => Ok(Self::Judgement { is_check: true }),
            _ => Err(format!(
                "unknown arguments: {}; there are: quick, goals, many, detection, judgement, judgement check",
                arguments.join(" ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_understood_or_refused() {
        let of = |text: &str| Command::of(text.split_whitespace().map(str::to_owned));
        assert_eq!(of(""), Ok(Command::Compare(Effort::Full)));
        assert_eq!(of("quick"), Ok(Command::Compare(Effort::Quick)));
        assert_eq!(of("goals"), Ok(Command::Goals));
        assert_eq!(of("many"), Ok(Command::Many));
        assert_eq!(of("detection"), Ok(Command::Detection));
        assert_eq!(of("judgement"), Ok(Command::Judgement { is_check: false }));
        assert_eq!(of("judgement check"), Ok(Command::Judgement { is_check: true }));
        assert!(of("fast").is_err() && of("quick quick").is_err() && of("goals many").is_err());
    }
}
