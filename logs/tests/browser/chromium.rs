//! A headless Chromium, driven by the DevTools protocol through its pipe: messages of JSON, each of which ends with a zero byte.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Chromium by the names that it has.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Longer than a busy machine takes for any of this. A test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The browser, if this machine has one.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let files = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// A browser with one page. It ends when this is dropped.
pub(crate) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// The page's.
    session: String,
    profile: PathBuf,
    /// What the page is written to.
    file: PathBuf,
    sent: u64,
    /// What the page did that it shouldn't: errors, messages on the console, requests, dialogs.
    pub(crate) complaints: Vec<String>,
    /// Names of events that came.
    events: Vec<String>,
}

impl Chromium {
    pub(crate) fn start(program: &Path) -> Self {
        let own = |name: &str| {
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace('#', &std::process::id().to_string()))
        };
        let (profile, file) = (own("chromium-#"), own("report-#.html"));
        let mut child = Command::new("sh")
            // The browser listens on descriptor 3, and answers on 4.
            .args(["-c", "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$@\"", "sh"])
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
            ])
            .args(["--disable-dev-shm-usage", "--force-color-profile=srgb"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let (to, out) = (child.stdin.take().expect("is piped"), child.stdout.take().expect("is piped"));
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("a message is JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (complaints, events) = (Vec::new(), Vec::new());
        let mut browser = Self { child, to, from, session: String::new(), profile, file, sent: 0, complaints, events };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = target["targetId"].as_str().expect("a target");
        let attached = browser.call("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Asks the page, or the browser as long as there is no page, and waits for the answer.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        write!(self.to, "{message}\0").and_then(|()| self.to.flush()).expect("the browser listens");
        loop {
            let answer = self.next(method);
            if answer["id"] == self.sent {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The next message; an event is taken note of.
    fn next(&mut self, why: &str) -> Value {
        let message = self.from.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{why}: {error}"));
        let (name, event) = (message["method"].as_str().unwrap_or_default(), &message["params"]);
        let url = event["request"]["url"].as_str().unwrap_or_default();
        let is_wrong = match name {
            "Runtime.exceptionThrown"
            | "Runtime.consoleAPICalled"
            | "Log.entryAdded"
            | "Page.javascriptDialogOpening" => true,
            "Network.requestWillBeSent" => !url.starts_with("file:"),
            _ => false,
        };
        if is_wrong {
            self.complaints.push(format!("{name}: {event}"));
        }
        self.events.push(name.to_owned());
        message
    }

    /// Shows a page of this HTML.
    pub(crate) fn open(&mut self, html: &str) {
        fs::write(&self.file, html).expect("the file is written");
        self.complaints.clear();
        self.events.clear();
        self.call("Page.navigate", &json!({ "url": format!("file://{}", self.file.display()) }));
        while !self.events.iter().any(|name| name == "Page.loadEventFired") {
            self.next("the page is loaded");
        }
        self.settle();
    }

    /// Waits until what is under way is drawn.
    pub(crate) fn settle(&mut self) {
        let frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))";
        self.evaluate(frame);
        self.evaluate(frame);
    }

    /// The value of an expression, or of what it promises.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", &parameters);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// So wide is the window, in pixels.
    pub(crate) fn resize(&mut self, width: u32) {
        let parameters = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &parameters);
        self.settle();
    }

    /// `dark` or `light`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let parameters = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &parameters);
        self.settle();
    }

    /// The whole page as PNG.
    pub(crate) fn screenshot(&mut self) -> Vec<u8> {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        bytes(&self.call("Page.captureScreenshot", &parameters)["data"])
    }

    /// The page as PDF of A4.
    pub(crate) fn print(&mut self) -> Vec<u8> {
        let parameters = json!({ "paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true });
        bytes(&self.call("Page.printToPDF", &parameters)["data"])
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
        let _ = fs::remove_file(&self.file);
    }
}

/// What base64 stands for.
fn bytes(text: &Value) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.as_str().expect("base64").bytes().filter(|&digit| digit != b'=') {
        let value = DIGITS.iter().position(|&known| known == digit).expect("a digit of base64");
        (bits, count) = (bits << 6 | value as u32, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
