//! What a drill writes down.

use crate::failure::Failure;
use crate::labels;
use crate::page::folder::Listed;
use crate::page::json::wall_time;
use crate::page::note;
use crate::page::reading::Reading;
use crate::page::standing::Standing;
use crate::show::{show_count, show_hash, show_ns};
use crate::zone::{now_ns, rfc_3339};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trip99::shared::login;

pub(super) struct Report {
    name: String,
    path: String,
    labels: String,
    pid: u32,
    /// The hash of the settings in force.
    settings: Option<u64>,
    by: String,
    began_wall_ns: u64,
    pub(super) decided_wall_ns: u64,
    /// How long after the decision the gate was shut.
    pub(super) halted: Option<Duration>,
    /// How long after the decision an order was known to be refused.
    pub(super) refused: Option<Duration>,
    /// When the owner's poll saw the halt.
    pub(super) noted_wall_ns: Option<u64>,
    pub(super) refusals: u64,
    pub(super) resting: Option<u64>,
    pub(super) resumed_wall_ns: u64,
    /// How long after the resume orders passed.
    passed: Option<Duration>,
    pub(super) trouble: Option<String>,
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Report {
    pub(super) fn begin(page: &Listed, reading: &Reading) -> Self {
        Self {
            name: page.place.name(),
            path: page.place.path(),
            labels: labels::show(&page.labels),
            pid: reading.pid(),
            settings: reading.in_force.config.as_ref().map(trip99::Config::stable_hash),
            by: login().to_string(),
            began_wall_ns: now_ns(),
            decided_wall_ns: 0,
            halted: None,
            refused: None,
            noted_wall_ns: None,
            refusals: 0,
            resting: None,
            resumed_wall_ns: 0,
            passed: None,
            trouble: None,
        }
    }

    /// How it stands in the end, so long after the resume.
    pub(super) fn ends(&mut self, reading: &Reading, after: Duration) {
        match reading.standing() {
            Standing::Trading => self.passed = Some(after),
            _ if !reading.holders.is_empty() => {
                self.trouble = Some(format!("it is halted by {} now", note::names(&reading.holders)));
            }
            _ => self.trouble = Some(format!("it is {} after the resume", reading.state_words())),
        }
    }

    pub(super) fn is_passed(&self) -> bool {
        self.refused.is_some() && self.passed.is_some() && self.trouble.is_none()
    }

    pub(super) fn verdict(&self) -> String {
        match (self.refused, &self.trouble) {
            (_, Some(trouble)) => trouble.clone(),
            (None, None) => "no order was refused in time: the engine asked nothing, or tells nothing".to_owned(),
            (Some(_), None) => "passed: an order was refused, and trading went on".to_owned(),
        }
    }

    pub(super) fn file_name(&self) -> String {
        let at = rfc_3339(self.began_wall_ns).replace(['-', ':'], "");
        let at = at.split_once('.').map_or(&*at, |(seconds, _)| seconds);
        format!("trip99-drill-{}-{at}Z.md", self.name)
    }

    /// Makes the file, so that no engine is stopped for a report that can't be written.
    pub(super) fn reserve(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let path = folder.join(self.file_name());
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        let wrong = |error| Failure::new(format_args!("{}: {error}; legal: a new file in a folder", path.display()));
        made.map_err(wrong)?;
        Ok(path)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let write = || {
            let mut file = fs::File::create(path)?;
            file.write_all(self.markdown().as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| Failure::new(format_args!("{}: {error}; the drill is over", path.display())))
    }

    /// What was measured: a name, and a time.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let time = |time: Option<Duration>| time.map_or("-".to_owned(), |time| show_ns(ns(time)));
        let noted = self.noted_wall_ns.map(|at_ns| at_ns.saturating_sub(self.decided_wall_ns));
        vec![
            ("decision to gate shut", time(self.halted)),
            ("decision to the engine's poll", noted.map_or("-".to_owned(), show_ns)),
            ("decision to first refusal, at most", time(self.refused)),
            ("orders refused", show_count(self.refusals)),
            ("orders resting at the venue", self.resting.map_or("-".to_owned(), show_count)),
            ("resume to orders passing", time(self.passed)),
        ]
    }

    pub(super) fn text(&self) -> String {
        let rows: Vec<_> = self.rows().into_iter().map(|(name, text)| format!("  {name:<34}  {text:>10}")).collect();
        format!("drill of {} by {}: {}\n\n{}\n", self.name, self.by, self.verdict(), rows.join("\n"))
    }

    fn markdown(&self) -> String {
        let rows: Vec<_> = self.rows().into_iter().map(|(name, text)| format!("| {name} | {text} |")).collect();
        let settings = self.settings.map_or("-".to_owned(), show_hash);
        let labels = if self.labels.is_empty() { "-" } else { &self.labels };
        let result = if self.is_passed() { "" } else { "failed: " };
        let times = [self.began_wall_ns, self.decided_wall_ns, self.resumed_wall_ns].map(rfc_3339);
        let [began, decided, resumed] = &times;
        format!(
            "# Drill of {}\n\n\
             Result: {result}{}.\n\n\
             | | |\n|---|---|\n\
             | date | {began} |\n| page | {} |\n| labels | {labels} |\n| engine | process {} |\n| settings | {settings} |\n\
             | by | {} |\n| tool | trip99 {} |\n| decided | {decided} |\n| resumed | {resumed} |\n\n\
             | measured | |\n|---|---|\n{}\n\n\
             The engine tells of refusals about once a millisecond: the time to the first refusal is an upper bound.\n",
            self.name,
            self.verdict(),
            self.path,
            self.pid,
            self.by,
            clap::crate_version!(),
            rows.join("\n"),
        )
    }

    pub(super) fn json(&self, report: Option<&Path>) -> Value {
        let noted = self.noted_wall_ns.map(|at_ns| at_ns.saturating_sub(self.decided_wall_ns));
        json!({
            "name": self.name,
            "path": self.path,
            "by": self.by,
            "dry_run": report.is_none(),
            "passed": report.map(|_| self.is_passed()),
            "verdict": report.map(|_| self.verdict()),
            "decided_wall_ns": report.map(|_| self.decided_wall_ns),
            "decided_wall_time": wall_time(self.decided_wall_ns),
            "halted_after_ns": self.halted.map(ns),
            "noted_after_ns": noted,
            "refused_after_ns": self.refused.map(ns),
            "refusals": report.map(|_| self.refusals),
            "resting": self.resting,
            "resumed_wall_ns": report.map(|_| self.resumed_wall_ns),
            "resumed_wall_time": wall_time(self.resumed_wall_ns),
            "passed_after_ns": self.passed.map(ns),
            "report": report.map(|path| path.display().to_string()),
        })
    }
}
