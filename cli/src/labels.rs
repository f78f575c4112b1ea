//! Labels of pages (`desk = "rates"`), by which commands choose pages, and metrics and the audit trail describe them. The crate
//! `trip99-labels` reads the file.

use crate::failure::Failure;
use clap::{Arg, ArgAction, ArgMatches};
use std::fmt;
use trip99_labels::check_name;
pub(crate) use trip99_labels::{FILE, Labels, PageLabels};

/// Which pages a command is for: those that have all of these labels.
#[derive(Debug, Default)]
pub(crate) struct Selector(Vec<(String, String)>);

impl Selector {
    /// The option `--label`.
    pub(crate) fn arg() -> Arg {
        Arg::new("label")
            .long("label")
            .value_name("NAME=VALUE")
            .action(ArgAction::Append)
            .help("Pages with this label; VALUE * is any. Given several times: pages with all of them")
    }

    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let given = matches.get_many::<String>("label").into_iter().flatten();
        given.map(|text| Self::parse(text)).collect::<Result<_, _>>().map(Self)
    }

    fn parse(text: &str) -> Result<(String, String), Failure> {
        let wrong = |legal: &str| Failure::new(format_args!("--label {text}; legal: {legal}"));
        let (name, value) = text
            .split_once('=')
            .filter(|(_, value)| !value.is_empty())
            .ok_or_else(|| wrong("NAME=VALUE, as desk=rates"))?;
        check_name(name).map_err(|legal| wrong(&legal))?;
        Ok((name.to_owned(), value.to_owned()))
    }

    /// No label is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn selects(&self, labels: &PageLabels) -> bool {
        self.0.iter().all(|(name, value)| labels.get(name).is_some_and(|own| value == "*" || own == value))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&format!("label {}", wanted.join(" and ")))
    }
}

/// Labels for people: `desk=rates venue=xetra`.
pub(crate) fn show(labels: &PageLabels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        let path = std::env::temp_dir().join(format!("trip99-labels-of-selector-{}", std::process::id()));
        std::fs::write(&path, "[gateway-a]\ndesk = \"rates\"\nvenue = \"xetra\"\n[\"b.1\"]\ndesk = \"fx\"\n[c]\n")
            .unwrap();
        let labels = Labels::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        labels
    }

    #[test]
    fn a_selector_wants_all_of_its_labels() {
        let labels = labels();
        let select = |texts: &[&str]| {
            let selector = Selector(texts.iter().map(|text| Selector::parse(text).unwrap()).collect());
            ["gateway-a", "b.1", "c"].into_iter().filter(|page| selector.selects(labels.of(page))).collect::<Vec<_>>()
        };
        assert_eq!(select(&[]), ["gateway-a", "b.1", "c"]);
        assert_eq!(select(&["desk=rates"]), ["gateway-a"]);
        assert_eq!(select(&["desk=*"]), ["gateway-a", "b.1"]);
        assert_eq!(select(&["desk=*", "venue=xetra"]), ["gateway-a"]);
        assert_eq!(select(&["desk=fx", "venue=*"]), [""; 0]);
        assert_eq!(select(&["desk=rate"]), [""; 0]);
    }

    #[test]
    fn a_selector_that_is_none_is_told() {
        for text in ["desk", "desk=", "=x", "1=x", "page=x"] {
            assert!(matches!(Selector::parse(text), Err(Failure::Message(why)) if why.contains("; legal: ")), "{text}");
        }
    }
}
