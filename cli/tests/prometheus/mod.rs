//! A Prometheus of Debian's, with the rules of `deploy/`, and what is done where a program isn't there.

use crate::common::{DIRECTORY, wait_for};
use crate::harness;
use crate::scrape::Exporter;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Skips the test, or a part of it, unless all of it is needed.
pub(crate) fn lacks(what: &str) {
    assert!(std::env::var_os("TRIP99_DEPLOY").is_none_or(|need| need != "needed"), "{what}");
    harness::skip(what);
}

/// False, and the test is skipped, if the program isn't there.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        lacks(&format!("there is no {program}"));
    }
    found
}

/// A real Prometheus that scrapes and judges each second.
pub(crate) struct Prometheus {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl Prometheus {
    pub(crate) fn start(exporter: &Exporter) -> Self {
        let folder = Path::new(DIRECTORY).join(format!("prometheus-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let rules = root().join("deploy/alerts.yml").canonicalize().unwrap();
        let settings = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [{rules:?}]\nscrape_configs:\n\
             - job_name: trip99\n  static_configs:\n  - targets: [{:?}]\n",
            exporter.address
        );
        fs::write(folder.join("prometheus.yml"), settings).unwrap();
        // A port that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, address, folder }
    }

    /// Counters need one.
    pub(crate) fn wait_for_a_past(&self) {
        let scrapes = |series: &Value| series["value"][1].as_str().and_then(|count| count.parse::<u64>().ok());
        wait_for("three scrapes", || {
            self.query("count_over_time(trip99_pages[1m])").first().and_then(scrapes) >= Some(3)
        });
    }

    /// The answer's data. `None` if there is no answer.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        write!(stream, "GET /api/v1/{path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let mut body: Value = serde_json::from_str(body).ok()?;
        assert_eq!(body["status"], "success", "{path}: {body}");
        Some(body["data"].take())
    }

    /// The series that an expression has now.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let escaped: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let data = self.get(&format!("query?query={escaped}"));
        data.and_then(|data| data["result"].as_array().cloned()).unwrap_or_default()
    }

    pub(crate) fn fires(&self, alert: &str, page: &str) -> bool {
        self.fires_since(alert, page).is_some()
    }

    /// When an alert of a page fired first within a minute, by Prometheus's own clock, in Unix seconds. `None` if it didn't, or is over.
    pub(crate) fn fires_since(&self, alert: &str, page: &str) -> Option<f64> {
        let firing = format!("ALERTS{{alertname={alert:?},alertstate=\"firing\",page={page:?}}}");
        self.query(&firing).first()?;
        self.query(&format!("{firing}[1m]")).first()?["values"][0][0].as_f64()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
