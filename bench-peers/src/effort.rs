//! How much is measured: everything, or only enough to see that the command runs.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    Full,
    /// Only enough to see that the command runs.
    Quick,
}

impl Effort {
    /// From the command's arguments, less the first.
    pub(crate) fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let effort = match arguments.next().as_deref() {
            None => Self::Full,
            Some("quick") => Self::Quick,
            Some(other) => return Err(format!("unknown argument: {other}; there is one: quick")),
        };
        arguments.next().map_or(Ok(effort), |other| Err(format!("one argument too many: {other}")))
    }

    /// Odd, so that there is a middle one.
    pub(crate) fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full.min(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_understood_or_refused() {
        let of = |text: &str| Effort::of(text.split_whitespace().map(str::to_owned));
        assert!(of("") == Ok(Effort::Full) && of("quick") == Ok(Effort::Quick));
        assert!(of("fast").is_err() && of("quick quick").is_err());
    }
}
