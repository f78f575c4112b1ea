//! The writer: what was seen becomes lines, which are on the disk before anybody is told.

use super::chain::Head;
use super::folder::Folder;
use super::line::{Item, Moment, body};
use super::sign::Signer;
use super::status::{Status, StatusFile};
use super::tell::{Listener, News};
use super::utc::{self, Known, Pair};
use crate::failure::{Failure, warn};
use serde_json::json;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What can't be written is tried again this often, and said this often.
const RETRY_EVERY: Duration = Duration::from_millis(200);
const SAY_EVERY: Duration = Duration::from_secs(30);
/// So often it is looked at clocks, files and signatures, though nothing happens.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// The status is written this often.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// A clock that was set back by less than this goes on in the file of the later day.
const BACK_NS: u64 = 3_600_000_000_000;

pub(crate) struct Writer {
    pub(crate) folder: Folder,
    pub(crate) signer: Signer,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) status_file: StatusFile,
    pub(crate) stop: Arc<AtomicBool>,
    /// How many items were read and aren't recorded.
    pub(crate) waiting: Arc<AtomicUsize>,
    clock: Pair,
    synchronised: Option<bool>,
    held: Option<Held>,
    status_at: Option<Instant>,
    missed: u64,
    /// A file that was moved away while it was written.
    lost_file: Option<String>,
}

/// Nothing can be written.
struct Held {
    since_utc: String,
    why: String,
    said: Instant,
    tries: u64,
    /// When it was to end.
    stopped: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(
        folder: Folder,
        signer: Signer,
        listeners: Vec<Listener>,
        status_file: StatusFile,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            folder,
            signer,
            listeners,
            status_file,
            stop,
            waiting: Arc::default(),
            clock: Pair::read(),
            synchronised: None,
            held: None,
            status_at: None,
            missed: 0,
            lost_file: None,
        }
    }

    /// What an earlier recorder left is signed before anything is added, if there is a key. It fails, too, if no waiting will help.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        while let Err(error) = self.sign_end_of_file(&Moment::now()).and_then(|()| self.write(&[], false)) {
            if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
                return Err(Failure::new(format_args!("cannot record: {error}")));
            }
            self.hold(&error, 0)?;
        }
        self.record(Vec::new())
    }

    /// Records all of that, however long it takes. It fails only if it is to end, and can't.
    pub(crate) fn record(&mut self, mut items: Vec<Item>) -> Result<(), Failure> {
        self.look_at_clock(&mut items);
        self.missed += items.iter().filter_map(|item| item.fields.get("missed")?.get("count")?.as_u64()).sum::<u64>();
        while let Err(error) = self.write(&items, false) {
            self.hold(&error, items.len())?;
        }
        if let Some(held) = self.held.take() {
            warn(format_args!("recording goes on; nothing could be written since {}", held.since_utc));
            let fields = json!({ "since_utc": held.since_utc, "why": held.why, "tries": held.tries });
            return self.record(vec![Item::own("held_up", fields)]);
        }
        self.show_status("recording");
        Ok(())
    }

    /// What is due though nothing happens.
    pub(crate) fn tick(&mut self) -> Result<(), Failure> {
        if let Some(name) = self.folder.let_go_if_moved() {
            warn(format_args!("{name} was moved away or removed while it was written; another file goes on"));
            self.lost_file = Some(name);
        }
        let mut items = Vec::new();
        self.look_at_clock(&mut items);
        if !items.is_empty() || self.signer.is_due(self.folder.head) || self.lost_file.is_some() {
            return self.record(items);
        }
        let file = self.folder.file_name().unwrap_or_default();
        self.signer.tell(self.folder.head, &file, false);
        self.show_status("recording");
        Ok(())
    }

    /// Records the last lines, and signs them.
    pub(crate) fn end(mut self, items: Vec<Item>) -> Result<(), Failure> {
        while let Err(error) = self.write(&items, true) {
            self.hold(&error, items.len())?;
        }
        self.status_at = None;
        self.show_status("stopped");
        self.listeners.into_iter().for_each(Listener::end);
        Ok(())
    }

    fn write(&mut self, items: &[Item], is_end: bool) -> io::Result<()> {
        let moment = Moment::now();
        self.begin_file(&moment)?;
        let (mut head, mut signed, mut text) = (self.folder.head, self.signer.signed(), String::new());
        let mut news = Vec::new();
        let is_new = |item: &&Item| match (&item.page, &item.step) {
            (Some(page), Some(step)) => !self.folder.positions.has(&page.id, step),
            _ => true,
        };
        for item in items.iter().filter(is_new) {
            let start = text.len();
            head.append(&body(item, &moment), &mut text);
            if !self.listeners.is_empty() {
                news.push(tell_of(item, text.get(start..).unwrap_or_default()));
            }
            if let Some(signature) = self.signer.line(head, &mut signed, false, &moment) {
                head.append(&signature, &mut text);
            }
        }
        if let Some(signature) = self.signer.line(head, &mut signed, is_end, &moment) {
            head.append(&signature, &mut text);
        }
        if !text.is_empty() {
            self.folder.append(&text, head)?;
        }
        for item in items {
            if let (Some(page), Some(step)) = (&item.page, &item.step) {
                self.folder.positions.take(&page.id, &page.path, step);
            }
        }
        self.signer.set_signed(signed);
        let file = self.folder.file_name().unwrap_or_default();
        self.signer.tell(head, &file, is_end);
        for one in news {
            self.listeners.iter_mut().for_each(|listener| listener.tell(one.clone()));
        }
        Ok(())
    }

    /// Begins a file if there is none, or if it is of another day.
    fn begin_file(&mut self, moment: &Moment) -> io::Result<()> {
        let today = utc::day(moment.wall_ns);
        let day = self.folder.day();
        if day.as_ref().is_some_and(|day| !is_another_day(day, &today, moment.wall_ns)) {
            return self.tell_of_torn(moment);
        }
        self.sign_end_of_file(moment)?;
        let name = self.folder.free_name(&today);
        let (mut head, mut text) = (self.folder.head, String::new());
        let previous = self.folder.file_name();
        let fields = json!({ "file": name, "format": 1, "previous_file": previous, "pages": self.folder.positions });
        head.append(&body(&Item::own("file", fields), moment), &mut text);
        self.folder.begin(&name, &text, head)?;
        if let Some(file) = &self.lost_file {
            self.append_own(Item::own("lost_file", json!({ "file": file })), moment)?;
            self.lost_file = None;
        }
        self.tell_of_torn(moment)
    }

    fn sign_end_of_file(&mut self, moment: &Moment) -> io::Result<()> {
        if self.folder.file_name().is_none() {
            return Ok(());
        }
        let (mut head, mut signed, mut text) = (self.folder.head, self.signer.signed(), String::new());
        if let Some(signature) = self.signer.line(head, &mut signed, true, moment) {
            head.append(&signature, &mut text);
            self.folder.append(&text, head)?;
            self.signer.set_signed(signed);
        }
        Ok(())
    }

    fn tell_of_torn(&mut self, moment: &Moment) -> io::Result<()> {
        let Some(torn) = self.folder.torn.take() else { return Ok(()) };
        let (file, bytes) = (&torn.file, torn.bytes.len());
        warn(format_args!("{file} ended in the middle of a line: {bytes} bytes, which were never told to be recorded"));
        let text = String::from_utf8_lossy(torn.bytes.get(..bytes.min(4096)).unwrap_or_default());
        let told = self.append_own(Item::own("torn", json!({ "file": file, "bytes": bytes, "text": text })), moment);
        if told.is_err() {
            self.folder.torn = Some(torn);
        }
        told
    }

    fn append_own(&mut self, item: Item, moment: &Moment) -> io::Result<()> {
        let (mut head, mut text): (Head, _) = (self.folder.head, String::new());
        head.append(&body(&item, moment), &mut text);
        self.folder.append(&text, head)
    }

    /// Waits, loudly. It fails if it is to end.
    fn hold(&mut self, error: &io::Error, items: usize) -> Result<(), Failure> {
        let waiting = self.waiting.load(Ordering::Relaxed).max(items);
        let stop = self.stop.load(Ordering::Relaxed);
        let is_first = self.held.is_none();
        let held = self.held.get_or_insert_with(|| Held {
            since_utc: utc::text(utc::now_ns()),
            why: String::new(),
            said: Instant::now(),
            tries: 0,
            stopped: None,
        });
        held.why = error.to_string();
        held.tries += 1;
        if is_first || held.said.elapsed() >= SAY_EVERY {
            held.said = Instant::now();
            let since = &held.since_utc;
            warn(format_args!(
                "nothing can be recorded since {since}: {error}; {waiting} lines wait, and more may be lost"
            ));
        }
        if stop && held.stopped.get_or_insert_with(Instant::now).elapsed() > RETRY_EVERY {
            self.status_at = None;
            self.show_status("held_up");
            return Err(Failure::new(format_args!("{waiting} lines are not recorded: {error}")));
        }
        self.show_status("held_up");
        thread::sleep(RETRY_EVERY);
        Ok(())
    }

    fn look_at_clock(&mut self, items: &mut Vec<Item>) {
        let (clock, known) = (Pair::read(), Known::now());
        if let Some(step_ns) = clock.step_since(&self.clock) {
            warn(format_args!("the system clock was set by {step_ns} ns"));
            let [before_utc, after_utc] = [self.clock, clock].map(|pair| utc::text(pair.wall_ns));
            let fields =
                json!({ "change": "stepped", "step_ns": step_ns, "before_utc": before_utc, "after_utc": after_utc });
            items.insert(0, Item::own("clock", fields));
        }
        let synchronised = Known::is_synchronised(known);
        if self.synchronised.replace(synchronised).is_some_and(|before| before != synchronised) {
            let change = if synchronised { "synchronised" } else { "unsynchronised" };
            items.insert(0, Item::own("clock", json!({ "change": change })));
        }
        self.clock = clock;
    }

    fn show_status(&mut self, state: &'static str) {
        if self.status_at.is_some_and(|at| at.elapsed() < STATUS_EVERY) {
            return;
        }
        self.status_at = Some(Instant::now());
        let status = Status {
            pid: std::process::id(),
            state,
            utc: utc::text(utc::now_ns()),
            why: self.held.as_ref().map(|held| held.why.clone()),
            since_utc: self.held.as_ref().map(|held| held.since_utc.clone()),
            file: self.folder.file_name(),
            n: self.folder.head.n,
            hash: self.folder.head.hash.to_string(),
            behind: self.waiting.load(Ordering::Relaxed),
            missed: self.missed,
            not_told: self.listeners.iter().map(|listener| listener.not_told).sum(),
        };
        if let Err(error) = self.status_file.write(&status) {
            warn(format_args!("cannot write the status: {error}"));
        }
    }
}

/// Whether the day is over. A clock that was set back a little, as round midnight, doesn't begin the day before once more.
fn is_another_day(day: &str, today: &str, wall_ns: u64) -> bool {
    today > day || (today < day && utc::day(wall_ns.saturating_add(BACK_NS)).as_str() < day)
}

fn tell_of(item: &Item, line: &str) -> News {
    let page = item.page.as_ref().map(|page| format!("{}: ", page.name)).unwrap_or_default();
    let field = |name| item.fields.get(name).and_then(serde_json::Value::as_str);
    let reason = item.fields.get("event").and_then(|event| event.get("reason")?.as_str());
    let parts = [reason, field("change"), field("evidence"), field("who"), field("why")];
    let parts: Vec<&str> = std::iter::once(item.kind).chain(parts.into_iter().flatten()).collect();
    let is_trouble = matches!(item.kind, "halt" | "missed" | "held_up" | "torn" | "lost_file")
        || reason
            .is_some_and(|reason| !matches!(reason, "retry" | "recovered" | "resume" | "restart" | "reconfigured"));
    News {
        line: line.to_owned(),
        message: format!("{page}{}", parts.join(", ")),
        priority: if is_trouble { 4 } else { 6 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_when_the_next_begins_and_comes_back_only_if_the_clock_is_set_far_back() {
        const DAY: u64 = 86_400_000_000_000;
        let is_another = |day: &str, wall_ns| is_another_day(day, &utc::day(wall_ns), wall_ns);
        assert!(!is_another("1970-01-02", DAY) && !is_another("1970-01-02", 2 * DAY - 1));
        assert!(is_another("1970-01-02", 2 * DAY) && is_another("1970-01-02", 20 * DAY));
        // A second before midnight, an hour before, and more.
        assert!(!is_another("1970-01-03", 2 * DAY - 1) && !is_another("1970-01-03", 2 * DAY - BACK_NS));
        assert!(is_another("1970-01-03", 2 * DAY - BACK_NS - 1) && is_another("1970-01-03", 0));
    }
}
