//! What the command's arguments ask for.

use crate::effort::Effort;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Everything but the judgement.
    Compare(Effort),
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
            ["detection"] => Ok(Self::Detection),
            ["judgement"] => Ok(Self::Judgement { is_check: false }),
            ["judgement", "check"] => Ok(Self::Judgement { is_check: true }),
            _ => Err(format!(
                "unknown arguments: {}; there are: quick, detection, judgement, judgement check",
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
        assert_eq!(of("detection"), Ok(Command::Detection));
        assert_eq!(of("judgement"), Ok(Command::Judgement { is_check: false }));
        assert_eq!(of("judgement check"), Ok(Command::Judgement { is_check: true }));
        assert!(of("fast").is_err() && of("quick quick").is_err());
    }
}
