//! An agent's metrics, as a text file for node_exporter's collector of text files. What a page tells, `trip99 exporter` tells of it.

use crate::message::Report;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// The metrics of an agent.
pub fn text(fleet: &str, agent: &str, report: &Report, servers_up: usize, servers: usize, halts: usize) -> String {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let held = report.pages.iter().filter(|page| page.held_since_ns != 0).count();
    let wrong = report.pages.iter().filter(|page| page.wrong.is_some()).count();
    let figures: [(&str, &str, f64); 11] = [
        ("lease_seconds", "What is left of the lease; 0 if there is none.", seconds(report.lease_left_ns)),
        ("round_trip_seconds", "How long the latest answer of a governor took.", seconds(report.round_trip_ns)),
        ("servers_up", "How many servers answer.", servers_up as f64),
        ("servers", "How many servers the fleet has.", servers as f64),
        ("written_timestamp_seconds", "When this was written.", seconds(report.wall_ns)),
        ("halts", "How many halts of the fleet are not over.", halts as f64),
        ("pages", "How many pages this agent has.", report.pages.len() as f64),
        ("pages_held", "How many of them it holds.", held as f64),
        ("pages_wrong", "How many of them it can't hold or read.", wrong as f64),
        ("revision", "The latest line of the bucket that it has read.", report.revision as f64),
        ("trouble", "1 if pages without a lease in force are held.", f64::from(u8::from(report.trouble.is_some()))),
    ];
    let mut text = String::new();
    for (name, help, value) in figures {
        let name = format!("trip99_fleet_{name}");
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{fleet=\"{fleet}\",agent=\"{agent}\"}} {value}"
        );
    }
    text
}

/// Writes the file anew, so that nobody reads half of it.
///
/// # Errors
/// The operating system refuses.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("prom.new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}
