//! How the recorder is, in a file for who watches it.

use serde::Serialize;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// The file always has this length, so that it can be written while the disk is full.
const LEN: usize = 1024;

/// What the file tells.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) pid: u32,
    /// `recording`, `held_up` or `stopped`.
    pub(crate) state: &'static str,
    /// When this was written.
    pub(crate) utc: String,
    /// Why it is held up.
    pub(crate) why: Option<String>,
    /// Since when it is held up.
    pub(crate) since_utc: Option<String>,
    pub(crate) file: Option<String>,
    /// The number of the last line, and its hash.
    pub(crate) n: u64,
    pub(crate) hash: String,
    /// How many lines wait to be recorded.
    pub(crate) behind: usize,
    /// How many events and entries were lost since this recorder started.
    pub(crate) missed: u64,
    /// How many lines `--exec` and the journal weren't told of.
    pub(crate) not_told: u64,
}

pub(crate) struct StatusFile(pub(crate) PathBuf);

impl StatusFile {
    pub(crate) fn write(&self, status: &Status) -> io::Result<()> {
        let mut status = status.clone();
        // Errors have texts of any length.
        status.why = status.why.map(|why| why.chars().take(100).collect());
        let mut text = serde_json::to_vec(&status)?;
        text.resize(LEN - 1, b' ');
        text.push(b'\n');
        // What is there is written over: that takes no room. (Somebody may have removed it.)
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(&self.0)?;
        file.write_all_at(&text, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_one_object_of_a_fixed_length() {
        let path = std::env::temp_dir().join(format!("trip99-status-{}", std::process::id()));
        let file = StatusFile(path.clone());
        for why in [None, Some("\u{1f6d1}".repeat(5000)), Some("\"".repeat(500))] {
            let status = Status {
                pid: u32::MAX,
                state: "recording",
                utc: crate::record::utc::text(u64::MAX),
                why,
                since_utc: Some(crate::record::utc::text(u64::MAX)),
                file: Some("2026-11-29.1000.jsonl".to_owned()),
                n: u64::MAX,
                hash: "f".repeat(64),
                behind: usize::MAX,
                missed: u64::MAX,
                not_told: u64::MAX,
            };
            file.write(&status).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.len(), LEN, "{text}");
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&read["state"], &read["n"]), (&"recording".into(), &u64::MAX.into()));
        }
        std::fs::remove_file(&path).unwrap();
    }
}
