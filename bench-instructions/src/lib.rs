//! Compares counts of instructions with those of a baseline: which are worse, and which are so much better that the baseline is
//! stale.

use std::fmt;

/// How often each operation is done while its instructions are counted.
pub const OPERATIONS: usize = 100_000;
/// How many quantiles are asked for, each of a breaker of its own.
pub const QUESTIONS: usize = 1000;

/// A difference up to this isn't judged.
const TOLERANCE_PERCENT: f64 = 3.0;

/// The head of the file. Lines `key = value` follow, so the file is TOML.
const HEADER: &str = "# Instructions of one operation: benches/README.md tells how to take them anew.\n";

/// The instructions that each operation takes, and what they depend on besides the code.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    /// `rustc --version`.
    pub rustc: String,
    /// The target's triple.
    pub target: String,
    /// What [`vectors`] says.
    pub vectors: String,
    /// In the order of the benchmarks.
    pub instructions: Vec<(String, f64)>,
}

/// Which of the library's code paths run. Counts of one path can't be compared with those of another.
#[must_use]
pub fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        return "avx2";
    }
    "none"
}

/// Reads the harness's report of a benchmark, a line of JSON: the benchmark's name, and the instructions of one operation.
///
/// # Errors
/// Names what is missing.
pub fn read_report(line: &str) -> Result<(String, f64), String> {
    let report: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("{error} in {line}"))?;
    let name = report["function_name"].as_str().ok_or("no name of a function")?;
    let total = report.pointer("/profiles/0/data/total/metrics/Ir/values/new").and_then(serde_json::Value::as_u64);
    let operations = if name.starts_with("quantile") { QUESTIONS } else { OPERATIONS };
    match total {
        Some(total) if total >= operations as u64 => {
            Ok((name.to_owned(), hundredths(total as f64 / operations as f64)))
        }
        _ => Err(format!("{name}: no instructions, or too few to be true: {total:?}")),
    }
}

/// A count, rounded as in the file.
fn hundredths(count: f64) -> f64 {
    (100.0 * count).round() / 100.0
}

/// As the file is written.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        for (key, value) in [("rustc", &self.rustc), ("target", &self.target), ("vectors", &self.vectors)] {
            writeln!(f, "{key} = \"{value}\"")?;
        }
        writeln!(f, "\n[instructions]")?;
        self.instructions.iter().try_for_each(|(name, count)| writeln!(f, "{name} = {count:.2}"))
    }
}

impl Counts {
    /// # Errors
    /// The first line that is not of this file, or the key that is missing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])) {
            let (key, value) = line.split_once(" = ").ok_or_else(|| format!("no `key = value`: {line}"))?;
            pairs.push((key, value.trim_matches('"')));
        }
        let mut take = |key: &str| {
            let index = pairs.iter().position(|pair| pair.0 == key).ok_or_else(|| format!("no {key}"))?;
            Ok::<_, String>(pairs.remove(index).1.to_owned())
        };
        let (rustc, target, vectors) = (take("rustc")?, take("target")?, take("vectors")?);
        let number = |(name, value): (&str, &str)| match value.parse() {
            Ok(count) => Ok((name.to_owned(), count)),
            Err(_) => Err(format!("{name}: not a number: {value}")),
        };
        let instructions = pairs.into_iter().map(number).collect::<Result<_, _>>()?;
        Ok(Self { rustc, target, vectors, instructions })
    }

    fn count(&self, name: &str) -> Option<f64> {
        self.instructions.iter().find(|pair| pair.0 == name).map(|pair| pair.1)
    }

    /// The lines that tell how these compare with the baseline, and whether the code is to be rejected.
    #[must_use]
    pub fn compare(&self, baseline: &Self) -> (Vec<String>, bool) {
        let mut lines = vec![format!("{:18} {:>9} {:>9}  instructions of one operation", "", "baseline", "now")];
        let (mut rejected, mut stale) = (false, false);
        for (name, now) in &self.instructions {
            let Some(before) = baseline.count(name) else {
                lines.push(format!("{name:18} {:>9} {now:>9.2}  FAILED: not in the baseline", "-"));
                rejected = true;
                continue;
            };
            let percent = hundredths(100.0 * (now - before) / before);
            let verdict = if percent > TOLERANCE_PERCENT {
                rejected = true;
                "  FAILED: more than 3 % worse"
            } else if percent < -TOLERANCE_PERCENT {
                stale = true;
                "  more than 3 % better"
            } else {
                ""
            };
            lines.push(format!("{name:18} {before:>9.2} {now:>9.2}  {percent:+.2} %{verdict}"));
        }
        for (name, before) in baseline.instructions.iter().filter(|pair| self.count(&pair.0).is_none()) {
            lines.push(format!("{name:18} {before:>9.2} {:>9}  FAILED: no longer counted", "-"));
            rejected = true;
        }
        if stale {
            lines.push("Take a new baseline, so that what was gained is guarded, too.".to_owned());
        }
        let circumstances =
            |counts: &Self| [&counts.rustc, &counts.target, &counts.vectors].map(Clone::clone).join(", ");
        let (then, here) = (circumstances(baseline), circumstances(self));
        if then != here {
            // With another compiler the counts differ, whether or not the code is worse.
            lines.push(format!("NOT JUDGED: the baseline is of {then}; this is {here}. Take a new baseline."));
            rejected = false;
        }
        (lines, rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: &[(&str, f64)]) -> Counts {
        Counts {
            rustc: "rustc 1.95.0".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            vectors: "avx2".to_owned(),
            instructions: instructions.iter().map(|&(name, count)| (name.to_owned(), count)).collect(),
        }
    }

    /// Without the heading.
    fn compare(now: &Counts, baseline: &Counts) -> (Vec<String>, bool) {
        let (mut lines, rejected) = now.compare(baseline);
        lines.remove(0);
        (lines, rejected)
    }

    #[test]
    fn what_is_written_is_read() {
        let written = counts(&[("allow_at", 9.0), ("record_at", 110.05)]);
        assert_eq!(Counts::parse(&written.to_string()), Ok(written));
    }

    #[test]
    fn what_is_not_a_baseline_is_an_error() {
        assert_eq!(Counts::parse("rustc"), Err("no `key = value`: rustc".to_owned()));
        assert_eq!(Counts::parse("rustc = \"1\"\ntarget = \"t\""), Err("no vectors".to_owned()));
        let text = counts(&[]).to_string() + "allow_at = few\n";
        assert_eq!(Counts::parse(&text), Err("allow_at: not a number: few".to_owned()));
    }

    #[test]
    fn three_percent_is_borne_and_more_is_rejected_with_both_figures() {
        let baseline = counts(&[("allow_at", 9.0), ("record_at", 100.0)]);
        assert!(!compare(&counts(&[("allow_at", 9.0), ("record_at", 103.0)]), &baseline).1);
        let (lines, rejected) = compare(&counts(&[("allow_at", 9.0), ("record_at", 103.1)]), &baseline);
        assert!(rejected);
        assert_eq!(
            lines,
            [
                "allow_at                9.00      9.00  +0.00 %",
                "record_at             100.00    103.10  +3.10 %  FAILED: more than 3 % worse"
            ]
        );
    }

    #[test]
    fn what_is_better_asks_for_a_new_baseline() {
        let (lines, rejected) = compare(&counts(&[("record_at", 96.0)]), &counts(&[("record_at", 100.0)]));
        assert!(!rejected);
        assert_eq!(lines[0], "record_at             100.00     96.00  -4.00 %  more than 3 % better");
        assert!(lines[1].starts_with("Take a new baseline"));
    }

    #[test]
    fn each_operation_must_be_in_both() {
        let (one, two) = (counts(&[("allow_at", 9.0)]), counts(&[("allow_at", 9.0), ("record_at", 100.0)]));
        assert!(compare(&two, &one).1);
        assert!(compare(&one, &two).1);
        assert!(!compare(&two, &two).1);
    }

    #[test]
    fn another_compiler_or_other_vectors_are_not_judged() {
        let baseline = counts(&[("record_at", 100.0)]);
        let worse = counts(&[("record_at", 200.0)]);
        for now in [
            Counts { rustc: "rustc 1.96.0".to_owned(), ..worse.clone() },
            Counts { vectors: "none".to_owned(), ..worse.clone() },
        ] {
            let (lines, rejected) = compare(&now, &baseline);
            assert!(!rejected);
            assert!(lines[0].contains("100.00") && lines[0].contains("200.00"), "the figures are told all the same");
            assert!(
                lines[1].starts_with("NOT JUDGED: the baseline is of rustc 1.95.0, x86_64-unknown-linux-gnu, avx2;")
            );
        }
    }

    #[test]
    fn a_report_of_the_harness() {
        let report = |total: &str| {
            format!(
                r#"{{"function_name":"record_at","profiles":[{{"data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{total}}}}}}}}}}}}}]}}"#
            )
        };
        assert_eq!(read_report(&report("11004842")), Ok(("record_at".to_owned(), 110.05)));
        assert!(read_report(&report("0")).is_err(), "nothing was counted");
        assert!(read_report("{}").is_err());
    }
}
