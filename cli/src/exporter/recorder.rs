//! What `trip99 record` tells of itself in its folder's `status.json`, for metrics.

use crate::exporter::metric::{Family, Kind, Labels, Value};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const FILE: &str = "status.json";

/// A file that is longer is no status.
const MAX_BYTES: u64 = 64 << 10;

/// The recorder writes it anew about once a second, whether there are events or not.
#[derive(Debug, Deserialize)]
struct Recorder {
    /// `recording`, or what keeps it from that.
    state: String,
    /// When this was written: RFC 3339.
    utc: String,
    /// Lines that wait to be written.
    behind: u64,
    /// Events that were lost since this recorder started.
    missed: u64,
}

impl Recorder {
    /// `None` if it can't be read.
    fn read(folder: &Path) -> Option<Self> {
        let mut text = String::new();
        File::open(folder.join(FILE)).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn seen(&self) -> Option<Value> {
        let since_epoch = humantime::parse_rfc3339_weak(&self.utc).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Value::Real(since_epoch.as_secs_f64()))
    }
}

/// The families of the recorders that write to these folders.
pub(crate) fn families(folders: &[PathBuf]) -> Vec<Family> {
    let family = Family::new;
    let mut unreadable =
        family(Kind::Gauge, "recorder_unreadable", "1 if the folder has no status of trip99 record, otherwise 0.");
    let mut seen =
        family(Kind::Gauge, "recorder_seen_timestamp_seconds", "When the recorder told last that it is at work.");
    let mut behind = family(Kind::Gauge, "recorder_behind_lines", "Lines that wait to be written to the audit trail.");
    let mut failing = family(Kind::Gauge, "recorder_failing", "1 if the recorder is held up or stopped, otherwise 0.");
    let mut missed = family(Kind::Counter, "recorder_missed", "Events that were lost before they could be recorded.");
    for folder in folders {
        let labels = || Labels::of("folder", folder.to_string_lossy());
        let recorder = Recorder::read(folder).and_then(|recorder| Some((recorder.seen()?, recorder)));
        unreadable.series.insert(labels(), recorder.is_none().into());
        if let Some((seen_at, recorder)) = recorder {
            seen.series.insert(labels(), seen_at);
            behind.series.insert(labels(), recorder.behind.into());
            failing.series.insert(labels(), (recorder.state != "recording").into());
            missed.series.insert(labels(), recorder.missed.into());
        }
    }
    vec![unreadable, seen, behind, failing, missed]
}
