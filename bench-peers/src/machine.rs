//! What the figures depend on: the machine, the day, the versions.

use std::fs;
use std::process::Command;

/// Names in Cargo.lock.
const PACKAGES: [&str; 6] =
    ["trip99", "recloser", "failsafe", "circuitbreaker-rs", "tower-resilience-circuitbreaker", "hdrhistogram"];

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown CPU", |(_, name)| name).to_owned()
}

/// The load average of the last minute: other jobs, and this one.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}

/// `None`: not in the lock file.
fn version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}

pub(crate) fn versions() -> String {
    let lock = include_str!("../Cargo.lock");
    let versions = PACKAGES.map(|package| format!("{package} {}", version(lock, package).unwrap_or("unknown")));
    versions.join(", ")
}

pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    format!(
        "{}; {}, {cores} cores; {}; {}.",
        output("date", &["+%-d %B %Y"]),
        cpu(),
        output("uname", &["-sr"]),
        output("rustc", &["--version"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_in_the_lock_file() {
        let lock = include_str!("../Cargo.lock");
        for package in PACKAGES {
            assert!(version(lock, package).is_some(), "{package}");
        }
    }
}
