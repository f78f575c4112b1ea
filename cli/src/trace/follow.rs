//! `trip99 trace PAGE --follow`: records what a running engine's breaker sees, by its tap.

use crate::failure::Failure;
use crate::log::duration;
use crate::page::place::{Place, refused};
use crate::show::{show_counted, show_ns};
use clap::ArgMatches;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use trip99::{Observer, Reason, Tap, TapKind, TapRow};
use trip99_logs::{Tapped, TraceWriter};

/// A ring of 65 536 rows is full after so long at 6 million calls a second.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a row waits for one that started earlier and has no ticket, so that nobody knows that it is under way.
const WAIT_NS: u64 = 5_000_000_000;
/// An owner that has published nothing for so long is idle: its time goes on all the same.
const IDLE: Duration = Duration::from_secs(1);

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let mut logs = matches.get_many::<PathBuf>("log").into_iter().flatten();
    let (Some(page), None) = (logs.next(), logs.next()) else {
        return Err(Failure::new("--follow is for one page; legal: trip99 trace PAGE --follow"));
    };
    let wait_ns = match matches.get_one::<String>("reorder") {
        Some(text) => duration("--reorder", text)?,
        None => WAIT_NS,
    };
    let place = Place::find(page)?;
    let is_over = interrupted()?;
    let mut followed = Followed::open(&place.path)?;
    let mut recording = Recording::new(TraceWriter::new(io::stdout().lock(), true)?, wait_ns);
    loop {
        let is_last = is_over.load(Ordering::Relaxed);
        // The place is looked at before the rows are read: of a page that has gone by then all rows are read.
        let found = identify(&place.path);
        recording.take(&mut followed)?;
        if is_last {
            return recording.end();
        }
        let is_another = found.is_some() && found != followed.file;
        if is_another || followed.tap.has_moved() {
            recording.change_page()?;
            followed = Followed::open(&place.path)?;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Becomes true when somebody ends this command (SIGINT, SIGTERM, SIGHUP), so that nothing that was read is lost.
fn interrupted() -> Result<Arc<AtomicBool>, Failure> {
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_over))?;
    }
    Ok(is_over)
}

/// Device and inode of a file.
fn identify(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// A page that is followed.
struct Followed {
    observer: Observer,
    tap: Tap,
    missed: u64,
    file: Option<(u64, u64)>,
}

impl Followed {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = identify(path);
        let observer = Observer::open(path).map_err(|error| refused(&error))?;
        let none = || {
            let legal = "legal: a page whose engine has set tap_len";
            Failure::new(format_args!("{}: the page has no tap, as its tap_len is 0; {legal}", path.display()))
        };
        let tap = observer.tap().ok_or_else(none)?;
        Ok(Self { observer, tap, missed: 0, file })
    }
}

/// When something was seen: by the owner's clock, this process's and the system's.
#[derive(Clone, Copy)]
struct Seen {
    owner_ns: u64,
    at: Instant,
    wall: SystemTime,
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

struct Recording<W> {
    trace: TraceWriter<W>,
    tapped: Tapped,
    wait_ns: u64,
    /// When the owner's latest snapshot was new.
    seen: Option<Seen>,
    /// The same of a page that was replaced, until the new one's clock is known.
    before: Option<Seen>,
    rows: u64,
    missed: u64,
}

impl<W: Write> Recording<W> {
    fn new(trace: TraceWriter<W>, wait_ns: u64) -> Self {
        Self { trace, tapped: Tapped::default(), wait_ns, seen: None, before: None, rows: 0, missed: 0 }
    }

    /// Takes in what is new, and writes what no earlier row can come before any more.
    fn take(&mut self, followed: &mut Followed) -> Result<(), Failure> {
        // The snapshot comes first: whatever started before all calls in flight that it tells of is in the tap by now.
        let snapshot = followed.observer.snapshot();
        if let (Some(before), Some(snapshot)) = (self.before, &snapshot) {
            let gap_ns = nanoseconds(before.wall.elapsed().unwrap_or_default());
            self.tapped.restart(before.owner_ns.saturating_add(gap_ns), snapshot.now_ns);
            self.before = None;
        }
        for row in followed.tap.by_ref() {
            if row.kind == TapKind::Restart {
                self.write_before(u64::MAX)?;
                Self::restart(&mut self.tapped, self.seen.take(), row, &followed.observer);
            } else {
                self.tapped.take(row);
            }
        }
        let missed = followed.tap.missed() - followed.missed;
        if missed > 0 {
            followed.missed += missed;
            self.missed += missed;
            eprintln!(
                "warning: missed {}, overwritten before they could be read: tap_len is too small",
                show_counted(missed, "row")
            );
        }
        let Some(snapshot) = snapshot else { return Ok(()) };
        let owner_ns = snapshot.now_ns;
        if self.seen.is_none_or(|seen| seen.owner_ns != owner_ns) {
            self.seen = Some(Seen { owner_ns, at: Instant::now(), wall: SystemTime::now() });
        }
        let quiet_ns = nanoseconds(self.seen.map_or(Duration::ZERO, |seen| seen.at.elapsed().saturating_sub(IDLE)));
        let settled_ns = owner_ns.saturating_add(quiet_ns).saturating_sub(self.wait_ns);
        self.write_before(settled_ns.min(snapshot.oldest_start_ns))
    }

    /// A new owner's clock has another origin. How long it took from the old one to the new one, the system's clock tells.
    fn restart(tapped: &mut Tapped, seen: Option<Seen>, row: TapRow, observer: &Observer) {
        let Some(seen) = seen else { return };
        let restarts = observer.events().filter(|event| event.reason == Reason::Restart && event.t_ns == row.start_ns);
        let wall_ns = restarts.last().map(|event| event.wall_ns);
        let wall = wall_ns.and_then(|wall_ns| SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(wall_ns)));
        let gap = wall.and_then(|wall| wall.duration_since(seen.wall).ok()).unwrap_or_default();
        let gap_ns = nanoseconds(gap);
        tapped.restart(seen.owner_ns.saturating_add(gap_ns), row.start_ns);
        eprintln!("a new owner took the page over after {}: its clock goes on where the last one was", show_ns(gap_ns));
    }

    /// The page is another one by now, and its owner's clock another.
    fn change_page(&mut self) -> Result<(), Failure> {
        eprintln!("the page was replaced: these are rows of the new one");
        self.write_before(u64::MAX)?;
        self.before = self.seen.take().or(self.before);
        Ok(())
    }

    fn write_before(&mut self, before_ns: u64) -> Result<(), Failure> {
        for row in self.tapped.rows_before(before_ns) {
            self.trace.write(&row)?;
            self.rows += 1;
        }
        self.trace.flush()?;
        Ok(())
    }

    /// Writes what is left, and tells how complete the trace is.
    fn end(mut self) -> Result<(), Failure> {
        self.write_before(u64::MAX)?;
        eprintln!("{} written, {} missed", show_counted(self.rows, "row"), self.missed);
        let (late, out_of_order) = (self.tapped.late(), self.tapped.out_of_order());
        if late > 0 {
            eprintln!(
                "warning: {} came back after they were written as lost; --reorder holds rows back for longer",
                show_counted(late, "call")
            );
        }
        if out_of_order > 0 {
            eprintln!(
                "warning: {} are before a row above them; read the trace with --sort",
                show_counted(out_of_order, "row")
            );
        }
        Ok(())
    }
}
