//! What the command's arguments ask for.

use crate::effort::Effort;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Everything but the judgement.
    Compare(Effort),
    /// The tables on detection alone, which need no calm machine.
    Detection,
}

impl Command {
    /// From the arguments, less the first.
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<_> = arguments.collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self::Compare(Effort::Full)),
            ["quick"] => Ok(Self::Compare(Effort::Quick)),
            ["detection"] => Ok(Self::Detection),
            _ => Err(format!("unknown arguments: {}; there are: quick, detection", arguments.join(" "))),
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
        assert!(of("fast").is_err() && of("quick quick").is_err());
    }
}
