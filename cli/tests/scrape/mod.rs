//! Folders of pages, the exporter as a process that reads them, and a naive parser of what it says.
#![allow(dead_code, reason = "each test program uses some of it")]

use crate::common::scratch;
use crate::pages::{self, Place};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared::Options;
use trip99::{Breaker, Config, Start};

/// A folder of pages of a test's own. (A `Place` keeps the folder that it is in.)
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _place: Place,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let place = Place::elsewhere(name);
        let path = scratch().join(format!("folder-{name}"));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self { path, _place: place }
    }

    pub(crate) fn page(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn breaker(&self, name: &str, config: Config) -> Breaker {
        let options = Options::default().state_dir(scratch().join("state"));
        Breaker::create_shared_with(self.page(name), config, Start::Closed, &options).unwrap()
    }

    pub(crate) fn exporter(&self) -> Exporter {
        Exporter::start(&[self.path.to_str().unwrap()])
    }
}

pub(crate) struct Exporter {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Exporter {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = pages::command(&["exporter", "--listen", "127.0.0.1:0"]);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("trip99 exporter: http://").and_then(|url| url.strip_suffix("/metrics"));
        Self { address: address.unwrap_or_else(|| panic!("{line:?}")).to_owned(), child }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Head and body of the answer to these bytes.
    pub(crate) fn ask(&self, request: &str) -> (String, String) {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        (head.to_owned(), body.to_owned())
    }

    pub(crate) fn get(&self, path: &str, accept: &str) -> (String, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n"))
    }

    pub(crate) fn scrape(&self) -> Metrics {
        let (head, body) = self.get("/metrics", "text/plain");
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            "{head}"
        );
        Metrics::parse(&body)
    }

    pub(crate) fn ended(mut self) -> Option<i32> {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("it goes on");
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) type Labels = BTreeMap<String, String>;

/// What a scrape told.
#[derive(Debug, PartialEq)]
pub(crate) struct Metrics(pub(crate) Vec<(String, Labels, f64)>);

impl Metrics {
    /// Reads the plain format, and checks it: each family comes once, with help and type before its series; no series comes twice.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut series, mut families) = (Vec::new(), Vec::<(String, String)>::new());
        let mut seen = BTreeSet::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(help.ends_with('.') && families.iter().all(|(family, _)| family != name), "{line}");
                let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name)).unwrap();
                families.push((name.to_owned(), kind.trim().to_owned()));
                continue;
            }
            let (name, labels, value) = parse_series(line);
            let (family, kind) = families.last().unwrap();
            let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            let of = if kind == "histogram" { parts.unwrap_or_default() } else { name.as_str() };
            assert_eq!((of, kind == "counter"), (family.as_str(), name.ends_with("_total")), "{line}");
            assert!(
                name.starts_with("trip99_") && ["gauge", "counter", "histogram"].contains(&kind.as_str()),
                "{line}"
            );
            assert!(seen.insert((name.clone(), labels.clone())), "twice: {line}");
            series.push((name, labels, value));
        }
        assert!(text.ends_with('\n') && !series.is_empty());
        Self(series)
    }

    /// The values of a name's series that have these labels: `a=b c=d`.
    pub(crate) fn all(&self, name: &str, labels: &str) -> Vec<f64> {
        let wanted: Vec<_> = labels.split_whitespace().map(|label| label.split_once('=').unwrap()).collect();
        let has = |found: &Labels| wanted.iter().all(|(name, value)| found.get(*name).is_some_and(|own| own == value));
        let is_it = |found: &&(String, Labels, f64)| found.0.strip_prefix("trip99_") == Some(name) && has(&found.1);
        self.0.iter().filter(is_it).map(|(_, _, value)| *value).collect()
    }

    pub(crate) fn one(&self, name: &str, labels: &str) -> f64 {
        match self.all(name, labels)[..] {
            [value] => value,
            ref values => panic!("{name} {labels}: {values:?}"),
        }
    }

    /// All that is told of a page: names with the page's own labels and the values.
    pub(crate) fn of_page(&self, page: &str) -> Vec<(String, Labels, f64)> {
        let mut series = self.0.clone();
        series.retain_mut(|(_, labels, _)| labels.remove("page").is_some_and(|name| name == page));
        series
    }
}

fn parse_series(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.trim_start_matches(',').split_once("=\"").unwrap();
            let (mut value, mut letters) = (String::new(), quoted.char_indices());
            let end = loop {
                match letters.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match letters.next().unwrap().1 {
                        'n' => '\n',
                        letter => letter,
                    }),
                    (_, letter) => value.push(letter),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "twice: {line}");
            rest = &quoted[end + 1..];
        }
        rest = &rest[1..];
    }
    (name.to_owned(), labels, rest.trim().parse().unwrap_or_else(|error| panic!("{error}: {line}")))
}
