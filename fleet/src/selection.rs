//! Selections: which pages a halt is for.

use crate::labels::Labels;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Which pages: all, or those that have each of these labels. A field that isn't known may mean more pages, so it can't be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Every page.
    #[serde(default)]
    pub all: bool,
    /// Names and values; `*` is any value.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Selection {
    /// All pages.
    pub fn all() -> Self {
        Self { all: true, labels: BTreeMap::new() }
    }

    /// Pages that have each of these labels, as `desk=rates`.
    ///
    /// # Errors
    /// What is wrong, and what is legal.
    pub fn of(texts: &[String]) -> Result<Self, String> {
        let mut labels = BTreeMap::new();
        for text in texts {
            let (name, value) = text
                .split_once('=')
                .filter(|(name, value)| !name.is_empty() && !value.is_empty())
                .ok_or_else(|| format!("--label {text}; legal: NAME=VALUE, as desk=rates, venue=* or host=engine-7"))?;
            if labels.insert(name.to_owned(), value.to_owned()).is_some_and(|other| other != value) {
                return Err(format!("--label {text}: {name} has two values; legal: one value for each name"));
            }
        }
        Ok(Self { all: false, labels })
    }

    /// Whether a page is meant. A selection of nothing is one that can't be understood: it means every page.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.all || self.labels.iter().all(|(name, value)| labels.has(name, value))
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all || self.labels.is_empty() {
            return f.write_str("all pages");
        }
        let labels: Vec<_> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&labels.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Result<Selection, String> {
        Selection::of(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn it_selects_pages_that_have_each_label() {
        let page = Labels::known("gateway-a", "h1", [("desk", "rates"), ("venue", "xetra")]);
        for (texts, is_selected) in [
            (&["desk=rates"][..], true),
            (&["desk=*", "venue=xetra"], true),
            (&["desk=rates", "venue=eurex"], false),
            (&["strategy=*"], false),
            (&["host=h1"], true),
            (&["host=h2"], false),
            (&["name=gateway-a"], true),
            (&["name=gateway-b"], false),
            (&[], true),
        ] {
            assert_eq!(of(texts).unwrap().selects(&page), is_selected, "{texts:?}");
        }
        assert!(Selection::all().selects(&page));
    }

    #[test]
    fn a_page_whose_labels_are_not_known_is_always_meant() {
        assert!(of(&["desk=rates"]).unwrap().selects(&Labels::unknown("a", "h")));
    }

    #[test]
    fn mistakes() {
        for text in ["desk", "desk=", "=x", ""] {
            assert!(of(&[text]).unwrap_err().contains("legal: NAME=VALUE"), "{text}");
        }
        assert!(of(&["a=1", "a=2"]).unwrap_err().contains("two values"));
        assert_eq!(of(&["b=2", "a=1"]).unwrap().to_string(), "a=1 b=2");
    }
}
