//! The report in a real browser. Has a harness of its own, as there may be no browser: then the tests are skipped, unless
//! `TRIP99_BROWSER` is `needed`. What the browser shows is kept beside the other output, to look at.

#[path = "../../tests/harness/mod.rs"]
mod harness;

mod browser {
    pub(super) mod chromium;
}
mod sample;

use browser::chromium::{self, Chromium};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use trip99_logs::report::{Bucket, Candidate, Pause, Report, Run};

fn start() -> Option<Chromium> {
    let browser = chromium::find();
    if browser.is_none() {
        skip("there is no Chromium");
    }
    browser.map(|browser| Chromium::start(&browser))
}

fn skip(why: &str) {
    assert!(std::env::var_os("TRIP99_BROWSER").is_none_or(|need| need != "needed"), "{why}");
    harness::skip(why);
}

fn keep(name: &str, bytes: &[u8]) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, bytes).expect("the file is written");
    file
}

/// How many pixels of each chart's canvas are of a colour of the style, or nearly so.
fn drawn(browser: &mut Chromium, colour: &str) -> Vec<u64> {
    let script = format!(
        "(() => {{
            // Copies, for a canvas that is read is drawn in another way from then on.
            const copy = (width, height) => Object.assign(document.createElement('canvas'), {{ width, height }}).getContext('2d', {{ willReadFrequently: true }});
            const ink = copy(1, 1);
            ink.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--{colour}');
            ink.fillRect(0, 0, 1, 1);
            const wanted = ink.getImageData(0, 0, 1, 1).data;
            return [...document.querySelectorAll('.chart canvas')].map(canvas => {{
                const read = copy(canvas.width, canvas.height);
                read.drawImage(canvas, 0, 0);
                const pixels = read.getImageData(0, 0, canvas.width, canvas.height).data;
                let count = 0;
                for (let at = 0; at < pixels.length; at += 4) {{
                    const apart = [0, 1, 2, 3].map(part => Math.abs(pixels[at + part] - wanted[part]));
                    count += Math.max(...apart) <= 12;
                }}
                return count;
            }});
        }})()"
    );
    let counts = browser.evaluate(&script);
    counts.as_array().expect("a list").iter().map(|count| count.as_u64().expect("a count")).collect()
}

fn no_complaint(browser: &Chromium) {
    assert_eq!(browser.complaints, Vec::<String>::new());
}

/// The sample's charts: latency by two runs, percentiles, trade-off.
fn charts_are_drawn() {
    let Some(mut browser) = start() else { return };
    for is_utc in [true, false] {
        browser.resize(1280);
        browser.open(&sample::report(is_utc).html());
        no_complaint(&browser);
        let median = drawn(&mut browser, "median");
        assert!(median.len() == 4 && median.iter().all(|&count| count > 500), "{median:?}");
        let threshold = drawn(&mut browser, "threshold");
        assert!(threshold[..3].iter().all(|&count| count > 300), "{threshold:?}");
        let [lost, pauses, suspects] = ["lost", "pause-edge", "suspect"].map(|colour| drawn(&mut browser, colour));
        assert!(lost[0] > 100 && lost[1] > 100 && lost[2] == 0, "{lost:?}");
        // The rims of texts are of these colours, too.
        assert!(pauses[0] > 200 && pauses[1] > 200 && pauses[2] < 200, "{pauses:?}");
        assert!(suspects[0] > 500 && suspects[1] > 500 && suspects[2] < 300, "{suspects:?}");
        let chosen = drawn(&mut browser, "chosen");
        assert!(chosen[3] > 50, "{chosen:?}");
    }
}

/// Nothing but tables and code scrolls sideways.
fn it_is_as_wide_as_the_window() {
    let Some(mut browser) = start() else { return };
    browser.resize(1280);
    browser.open(&sample::report(true).html());
    // Without loading it anew: the charts follow.
    for width in [1280, 400, 320, 800, 1280, 2400] {
        browser.resize(width);
        let overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert_eq!(overflow, 0, "{width}");
        let charts = browser.evaluate(
            "[...document.querySelectorAll('.chart')].map(chart => [chart.clientWidth, chart.querySelector('canvas').clientWidth])",
        );
        for chart in charts.as_array().expect("a list") {
            assert_eq!(chart[0], chart[1], "{width}");
        }
        if [1280, 400].contains(&width) {
            for scheme in ["light", "dark"] {
                browser.prefer(scheme);
                let shot = browser.screenshot();
                keep(&format!("report-{width}-{scheme}.png"), &shot);
            }
            browser.prefer("light");
        }
    }
    no_complaint(&browser);
}

/// Red, green and blue of each pixel.
fn pixels(png: &[u8]) -> Vec<[u8; 3]> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("it is a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("it fits")];
    let frame = reader.next_frame(&mut bytes).expect("it has a frame");
    let samples = frame.color_type.samples();
    assert!(samples >= 3, "{:?}", frame.color_type);
    bytes[..frame.buffer_size()].chunks(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// The pixel in the upper left corner, and how many of the picture's pixels differ from it.
fn ground(png: &[u8]) -> ([u8; 3], usize) {
    let pixels = pixels(png);
    (pixels[0], pixels.iter().filter(|&&pixel| pixel != pixels[0]).count())
}

fn light_and_dark_differ() {
    let Some(mut browser) = start() else { return };
    browser.resize(1280);
    browser.prefer("light");
    browser.open(&sample::report(true).html());
    let mut seen = Vec::new();
    for scheme in ["light", "dark", "light"] {
        browser.prefer(scheme);
        let (corner, others) = ground(&browser.screenshot());
        assert!(others > 10_000, "{others}");
        // The canvas has the colours of the scheme, too: both medians are drawn in the one that holds now.
        assert!(drawn(&mut browser, "median").iter().all(|&count| count > 500), "{scheme}");
        seen.push(corner);
    }
    assert!(seen[0].iter().all(|&part| part > 200) && seen[1].iter().all(|&part| part < 60), "{seen:?}");
    assert_eq!(seen[0], seen[2]);
    no_complaint(&browser);
}

fn long_pauses(count: u64) -> Report {
    let mut report = sample::report(true);
    let first_ns = report.first_ns;
    let pause = |at: u64| Pause {
        from_ns: first_ns + at * 1_000_000_000,
        to_ns: first_ns + at * 1_000_000_000 + 500_000_000,
        reason: "latency".to_owned(),
        evidence: "P99 was 200.000001 ms, limit 200 ms".to_owned(),
        reopened: 0,
    };
    report.runs[0].pauses = (0..count).map(pause).collect();
    report
}

/// It prints light, with all charts, and what was folded opened; afterwards it is as it was.
fn it_prints() {
    let Some(mut browser) = start() else { return };
    browser.resize(1280);
    browser.prefer("dark");
    browser.open(&long_pauses(60).html());
    let state = "[...document.querySelectorAll('canvas')].map(canvas => canvas.width).concat(\
                 [...document.querySelectorAll('details')].map(fold => fold.open))";
    let before = browser.evaluate(state);
    // Chromium prints light anyway, but not every browser does.
    let median = |browser: &mut Chromium, event: &str| {
        let style = "getComputedStyle(document.documentElement).getPropertyValue('--median').trim()";
        let colour = browser.evaluate(&format!("dispatchEvent(new Event('{event}')), {style}"));
        browser.settle();
        assert!(drawn(browser, "median").iter().all(|&count| count > 500), "{event}");
        colour
    };
    assert_eq!([median(&mut browser, "beforeprint"), median(&mut browser, "afterprint")], ["#1a56b0", "#7db2ff"]);
    let pdf = browser.print();
    browser.settle();
    assert_eq!(browser.evaluate(state), before);
    no_complaint(&browser);
    let file = keep("report.pdf", &pdf);
    let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
    assert!((3..=12).contains(&pages), "{pages} pages");
    let pages_at = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-page");
    let Ok(made) = Command::new("pdftoppm").args(["-png", "-r", "60"]).arg(&file).arg(&pages_at).status() else {
        return skip("the look of the printed pages, as there is no pdftoppm");
    };
    assert!(made.success());
    let (digits, mut drawn) = (if pages > 9 { 2 } else { 1 }, 0);
    for page in 1..=pages {
        let png =
            fs::read(format!("{}-{page:0digits$}.png", pages_at.display())).expect("there is a picture of the page");
        let (corner, others) = ground(&png);
        assert_eq!(corner, [255; 3], "page {page}");
        assert!(others > 200, "page {page}: {others}");
        // Nothing else on paper is blue in so many places. The blue of dark pages is lighter.
        drawn += pixels(&png).iter().filter(|[red, _, blue]| *red < 90 && blue.saturating_sub(*red) > 60).count();
    }
    assert!(drawn > 1_000, "{drawn}");
}

/// Reports with little in them, and with odd figures.
fn odd_reports_make_no_error() {
    let Some(mut browser) = start() else { return };
    let bucket =
        |from_ns, ns, calls, lost| Bucket { from_ns, calls, least_ns: ns, median_ns: ns, greatest_ns: ns, lost };
    let run =
        Run { name: "these settings".to_owned(), threshold_ns: 200_000_000, quantile_ppm: 990_000, ..Run::default() };
    let candidate = Candidate { name: "one".to_owned(), delay_ns: 0.0, false_trips_a_month: 0.0, chosen: true };
    let nothing = Report::default();
    let one = Report {
        latencies: vec![bucket(0, 5, 1, 0)],
        percentiles: vec![(0.0, 5), (0.5, 5)],
        runs: vec![run.clone()],
        ..Report::default()
    };
    let zero = Report {
        latencies: vec![bucket(0, 0, 1, 0), bucket(9, 0, 2, 1)],
        last_ns: 9,
        percentiles: vec![(0.0, 0)],
        ..Report::default()
    };
    let lost = Report { latencies: vec![bucket(0, 0, 3, 3)], runs: vec![run.clone()], ..Report::default() };
    let longest = Report {
        latencies: vec![bucket(0, 1, 1, 0), bucket(u64::MAX, u64::MAX >> 1, 1, 0)],
        last_ns: u64::MAX,
        is_utc: true,
        percentiles: vec![(0.0, 1), (0.999_999_999, u64::MAX >> 1)],
        runs: vec![Run {
            threshold_ns: u64::MAX >> 1,
            quantile_ppm: 999_999,
            pauses: vec![Pause { to_ns: u64::MAX, ..Pause::default() }],
            ..run
        }],
        trade_off: vec![candidate],
        ..Report::default()
    };
    for (name, report, charts) in
        [("nothing", nothing, 0), ("one", one, 2), ("zero", zero, 2), ("lost", lost, 0), ("longest", longest, 3)]
    {
        browser.resize(1280);
        browser.open(&report.html());
        assert_eq!(browser.complaints, Vec::<String>::new(), "{name}");
        let median = drawn(&mut browser, "median");
        // One point alone is a dot.
        assert!(median.len() == charts && median.iter().take(2).all(|&count| count >= 4), "{name}: {median:?}");
        let shot = browser.screenshot();
        keep(&format!("report-{name}.png"), &shot);
    }
}

fn hostile_texts_do_nothing() {
    let Some(mut browser) = start() else { return };
    let wants = ["window.broken = 1", "alert(1)"];
    for text in [
        format!("</script><script>{}</script>", wants[0]),
        format!("<img src=x onerror=\"{}\">", wants[0]),
        format!("\"><svg onload='{}'>", wants[1]),
        format!("<!-- <script> {} \u{2028}\u{202e}", wants[1]),
        "<iframe src=\"https://localhost/\"></iframe>".to_owned(),
    ] {
        let mut report = sample::report(true);
        report.title.clone_from(&text);
        report.toml.clone_from(&text);
        report.suspects[0].label.clone_from(&text);
        report.runs[0].name.clone_from(&text);
        report.runs[0].pauses[0].evidence.clone_from(&text);
        report.trade_off[0].name.clone_from(&text);
        report.settings[0].1.clone_from(&text);
        browser.open(&report.html());
        assert_eq!(browser.complaints, Vec::<String>::new(), "{text}");
        assert_eq!(browser.evaluate("typeof window.broken"), "undefined", "{text}");
        assert_eq!(browser.evaluate("document.querySelectorAll('.chart canvas').length"), 4, "{text}");
        // The parser cuts nothing off.
        assert_eq!(
            browser.evaluate("document.querySelector('.scroll td:last-child').closest('section').id"),
            "latency"
        );
    }
}

fn move_mouse(browser: &mut Chromium, kind: &str, x: f64, y: f64) {
    let buttons = u32::from(kind != "mouseReleased" && kind != "hover");
    let kind = if kind == "hover" { "mouseMoved" } else { kind };
    let parameters = json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1 });
    browser.call("Input.dispatchMouseEvent", &parameters);
    browser.settle();
}

/// The cursor tells figures below all charts of latency, and a drag looks closer in all of them.
fn charts_answer_the_mouse() {
    let Some(mut browser) = start() else { return };
    browser.resize(1280);
    browser.open(&sample::report(true).html());
    browser.evaluate("document.querySelector('#latency .chart').scrollIntoView()");
    let place = browser.evaluate(
        "(({ left, top }) => [left, top])(document.querySelector('#latency .u-over').getBoundingClientRect())",
    );
    let [left, top] = [0, 1].map(|at| place[at].as_f64().expect("a number"));
    move_mouse(&mut browser, "hover", left + 300.0, top + 100.0);
    let told = browser.evaluate("[...document.querySelectorAll('#latency .readout')].map(line => line.textContent)");
    let told: Vec<&str> = told.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(told.len() == 2 && told[0] == told[1], "{told:?}");
    assert!(told[0].starts_with("2025-11-24 ") && told[0].contains(", median "), "{told:?}");
    let before = drawn(&mut browser, "median");
    move_mouse(&mut browser, "mousePressed", left + 300.0, top + 100.0);
    move_mouse(&mut browser, "mouseMoved", left + 400.0, top + 100.0);
    move_mouse(&mut browser, "mouseReleased", left + 400.0, top + 100.0);
    let after = drawn(&mut browser, "median");
    assert!(before[0] != after[0] && before[1] != after[1] && before[2..] == after[2..], "{before:?} {after:?}");
    let shot = browser.screenshot();
    keep("report-closer.png", &shot);
    no_complaint(&browser);
}

/// The button says that it copied. If it may not it selects the text.
fn settings_are_copied() {
    let Some(mut browser) = start() else { return };
    let report = sample::report(true);
    browser.open(&report.html());
    let click = "(async () => {
        document.querySelector('[data-copies]').click();
        while (!document.querySelector('.said').textContent) await new Promise(done => setTimeout(done, 10));
        return document.querySelector('.said').textContent;
    })()";
    let write = "Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async text => { \
                 window.copied = text; } } })";
    browser.evaluate(write);
    assert_eq!(browser.evaluate(click), "Copied.");
    assert_eq!(browser.evaluate("window.copied"), report.toml.as_str());
    browser.open(&report.html());
    browser.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined }); document.execCommand = () => false; 0",
    );
    assert_eq!(browser.evaluate(click), "Selected: copy it by Ctrl+C.");
    let selected = browser.evaluate("getSelection().toString()");
    assert_eq!(selected.as_str().expect("a text").trim(), report.toml.trim());
    no_complaint(&browser);
}

fn main() -> ExitCode {
    harness::run(&[
        ("charts_are_drawn", charts_are_drawn),
        ("it_is_as_wide_as_the_window", it_is_as_wide_as_the_window),
        ("light_and_dark_differ", light_and_dark_differ),
        ("it_prints", it_prints),
        ("odd_reports_make_no_error", odd_reports_make_no_error),
        ("hostile_texts_do_nothing", hostile_texts_do_nothing),
        ("charts_answer_the_mouse", charts_answer_the_mouse),
        ("settings_are_copied", settings_are_copied),
    ])
}
