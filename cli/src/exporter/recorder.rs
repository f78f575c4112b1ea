//! What `trip99 record` tells of itself in its folder's `status.json`, for metrics.

use crate::exporter::metric::{Family, Kind, Labels, Value};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const FILE: &str = "status.json";

/// A file that is longer is no status.
const MAX_BYTES: u64 = 64 << 10;

/// The recorder writes it anew about once a second, whether there are events or not.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct Recorder {
    /// What happened up to here is recorded and synced, in nanoseconds since the Unix epoch.
    synced_wall_ns: u64,
    /// Events that are in a journal and not recorded yet.
    behind_events: u64,
    /// The latest try to record failed.
    failing: bool,
}

/// `None` if it can't be read.
fn read(folder: &Path) -> Option<Recorder> {
    let mut text = String::new();
    File::open(folder.join(FILE)).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The families of the recorders that write to these folders.
pub(crate) fn families(folders: &[PathBuf]) -> Vec<Family> {
    let gauge = |name, help| Family::new(Kind::Gauge, name, help);
    let mut unreadable = gauge("recorder_unreadable", "1 if the folder has no status of trip99 record, otherwise 0.");
    let mut synced =
        gauge("recorder_synced_timestamp_seconds", "What happened up to here is in the audit trail, and synced.");
    let mut behind = gauge("recorder_behind_events", "Events that are not recorded yet.");
    let mut failing = gauge("recorder_failing", "1 if the latest try to record failed, otherwise 0.");
    for folder in folders {
        let labels = Labels::of("folder", folder.to_string_lossy());
        let recorder = read(folder);
        unreadable.series.insert(labels.clone(), recorder.is_none().into());
        if let Some(recorder) = recorder {
            synced.series.insert(labels.clone(), Value::seconds(recorder.synced_wall_ns));
            behind.series.insert(labels.clone(), recorder.behind_events.into());
            failing.series.insert(labels, recorder.failing.into());
        }
    }
    vec![unreadable, synced, behind, failing]
}
