//! The exporter as a process, scraped over its socket. What it says is read by a parser of the tests' own.

mod common;
mod pages;
mod scrape;

use pages::{Owner, Place, SECOND, config, fails};
use rustix::process::{Pid, Signal, kill_process};
use scrape::{Exporter, Folder, Metrics};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trip99::{Config, Gate, Observer, Start};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

/// Not a test but, in a process of its own, an owner.
#[test]
fn owner() {
    pages::own();
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[test]
fn each_figure_is_what_the_observer_says() {
    const LATER: u64 = 2 * SECOND + 100_000_000;
    let folder = Folder::new("figures");
    let settings = Config { tap_len: 1024, quantile_ppm: 950_000, debt_limit: 4, spike_count: 0, ..config() };
    let mut breaker = folder.breaker("a", settings);
    let mut idle = folder.breaker("idle", config());
    idle.poll_at(SECOND);
    for latency_ms in 1..=99 {
        breaker.record_at(SECOND, latency_ms * 1_000_000);
    }
    breaker.record_at(SECOND, SECOND);
    let _calls = [breaker.begin_at(2 * SECOND), breaker.begin_at(2 * SECOND)];
    breaker.set_resting(7);
    breaker.poll_at(LATER);
    let exporter = folder.exporter();

    let observer = Observer::open(folder.page("a")).unwrap();
    let (now, config) = (observer.snapshot().unwrap(), observer.config().unwrap());
    let told = exporter.scrape();
    let value = |name: &str| told.one(name, "page=a");
    assert_eq!(value("window_samples"), f64::from(now.samples));
    assert_eq!((now.samples, now.slow, now.in_flight), (100, 1, 2));
    assert_eq!((value("window_slow_samples"), value("in_flight_calls")), (1.0, 2.0));
    let age = value("oldest_in_flight_seconds");
    assert!((0.1..600.0).contains(&age), "{age}: 0.1 s, and what has passed since the owner was seen");
    assert_eq!(told.one("oldest_in_flight_seconds", "page=idle"), 0.0);
    assert_eq!((value("window_failed_samples"), value("resting_orders")), (0.0, 7.0));
    assert_eq!((value("recorded_total"), value("refused_total")), (100.0, 0.0));
    assert_eq!((value("dropped_total"), value("misused_total")), (0.0, 0.0));
    assert_eq!((value("armed"), value("unwatched"), value("owner_up"), value("shadow")), (1.0, 0.0, 1.0, 0.0));
    assert_eq!(value("threshold_seconds"), seconds(config.threshold_ns));
    for (q, ppm) in [("0.5", 500_000), ("0.9", 900_000), ("0.99", 990_000), ("0.999", 999_000), ("1", 1_000_000)] {
        let expected = seconds(observer.quantile_ns(ppm).unwrap());
        assert_eq!(told.one("window_quantile_seconds", &format!("page=a q={q}")), expected, "{q}");
    }
    assert_eq!(value("judged_quantile_seconds"), 0.095);
    assert_eq!(value("debt_ratio"), now.debt_ppm as f64 / 3_800_000.0);
    assert!(value("debt_ratio") > 0.0 && told.all("debt_ratio", "page=idle").is_empty(), "it has no debt limit");
    assert_eq!(told.one("state", "page=a state=closed"), 1.0);
    assert_eq!(told.all("state", "page=a").iter().sum::<f64>(), 1.0);
    assert_eq!((value("halted"), value("page_unreadable")), (0.0, 0.0));
    let info = format!("page=a hash=0x{:016x} version={}", config.stable_hash(), env!("CARGO_PKG_VERSION"));
    assert_eq!(told.one("config_info", &info), 1.0);
    let seen = value("owner_seen_timestamp_seconds");
    assert!(seen <= now_s() && seen > now_s() - 600.0, "{seen}");
    assert!(told.all("retry_timestamp_seconds", "page=a").is_empty(), "it isn't paused");
    assert!(told.all("window_quantile_seconds", "page=idle").is_empty(), "it has no samples");
    assert_eq!(told.one("pages", ""), 2.0);
    // 1 to 99 ms, and 1 s.
    for (le, count) in [("0.001", 1.0), ("0.01", 10.0), ("0.1", 99.0), ("0.5", 99.0), ("1", 100.0), ("+Inf", 100.0)] {
        assert_eq!(told.one("latency_seconds_bucket", &format!("page=a le={le}")), count, "{le}");
    }
    assert_eq!((value("latency_seconds_count"), value("latency_seconds_sum")), (100.0, 5.95));
    assert_eq!(value("latencies_missed_total"), 0.0);
    assert!(told.all("latency_seconds_count", "page=idle").is_empty(), "it has no tap");

    // Debt of four calls in a hundred is too much.
    (0..5).for_each(|_| breaker.record_at(LATER, SECOND));
    assert!(!breaker.allow_at(LATER));
    breaker.poll_at(LATER + 1_000_000);
    let told = exporter.scrape();
    let value = |name: &str, labels: &str| told.one(name, &format!("page=a {labels}"));
    assert_eq!((value("state", "state=open"), value("state", "state=closed")), (1.0, 0.0));
    assert_eq!(value("transitions_total", "from=closed to=open reason=latency"), 1.0);
    assert_eq!(told.all("transitions_total", "page=a").iter().sum::<f64>(), 1.0);
    assert_eq!(value("refused_total", ""), 1.0);
    let left = value("retry_timestamp_seconds", "") - value("owner_seen_timestamp_seconds", "");
    assert!((left - 0.999).abs() < 1e-3, "{left}");
}

#[test]
fn both_formats_say_the_same() {
    let folder = Folder::new("formats");
    let _breaker = folder.breaker("a", config());
    let exporter = folder.exporter();
    let (head, body) = exporter.get("/metrics", OPEN_METRICS);
    assert!(
        head.contains("\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{head}"
    );
    let open_metrics = body.strip_suffix("# EOF\n").unwrap();
    // They differ in the names of counters' families.
    let (mut as_text, mut counter) = (String::new(), String::new());
    for line in open_metrics.lines() {
        let name = line.split(' ').nth(2).unwrap_or_default();
        let is_counter = open_metrics.contains(&format!("# TYPE {name} counter\n"));
        counter = if line.starts_with('#') && is_counter { name.to_owned() } else { counter };
        let renamed = if line.starts_with('#') && is_counter {
            line.replacen(name, &format!("{name}_total"), 1)
        } else {
            line.to_owned()
        };
        as_text += &format!("{renamed}\n");
    }
    let names = |metrics: &Metrics| {
        metrics.0.iter().map(|(name, labels, _)| (name.clone(), labels.clone())).collect::<Vec<_>>()
    };
    assert!(!counter.is_empty());
    assert_eq!(names(&Metrics::parse(&as_text)), names(&exporter.scrape()));
}

#[test]
fn each_holder_of_a_halt_has_a_series() {
    let folder = Folder::new("halts");
    let mut breaker = folder.breaker("a", config());
    breaker.poll_at(SECOND);
    let exporter = folder.exporter();
    let page = folder.page("a");
    let page = page.to_str().unwrap();
    pages::ok(&["halt", page, "--reason", "position limit", "--as", "ann"]);
    breaker.halt_at(SECOND, "");
    let told = exporter.scrape();
    assert_eq!(told.all("halted", "page=a"), [1.0, 1.0]);
    assert_eq!([told.one("halted", "holder=ann"), told.one("halted", "holder=engine")], [1.0, 1.0]);
    breaker.resume_at(SECOND, "");
    let (status, ..) = pages::trip99(&["resume", page, "--as", "ann", "--reason", "over"]);
    assert_eq!(status, Some(0), "it warns that the owner has to poll");
    assert_eq!(exporter.scrape().0.iter().filter(|(_, labels, _)| labels.contains_key("holder")).count(), 0);
    breaker.poll_at(SECOND);
    assert_eq!(exporter.scrape().all("halted", "page=a"), [0.0]);
}

#[test]
fn a_page_that_cannot_be_read_is_a_metric_and_harms_no_other() {
    let folder = Folder::new("unreadable");
    let mut good = folder.breaker("good", config());
    good.poll_at(SECOND);
    for name in ["cut", "damaged", "later"] {
        drop(folder.breaker(name, config()));
    }
    fs::create_dir(folder.page("a-folder")).unwrap();
    fs::write(folder.page(".hidden"), "").unwrap();
    fs::write(folder.page("a\"b\\c\nd"), "no page").unwrap();
    std::os::unix::fs::symlink(folder.page("good"), folder.page("link")).unwrap();
    let exporter = folder.exporter();
    let before = exporter.scrape();
    assert_eq!(before.all("page_unreadable", "").iter().sum::<f64>(), 2.0, "{before:?}");
    assert_eq!((before.one("pages", ""), before.one("page_unreadable", "page=link")), (6.0, 1.0));
    assert_eq!(before.of_page("a\"b\\c\nd").len(), 1, "what is in a name is escaped");

    // They break between two scrapes, under the exporter.
    let write = |name: &str| OpenOptions::new().write(true).open(folder.page(name)).unwrap();
    write("cut").set_len(5000).unwrap();
    write("damaged").write_all_at(&[7; 64], 0).unwrap();
    write("later").write_all_at(&[9], 8).unwrap();
    let told = exporter.scrape();
    for (page, why) in [("cut", "truncated"), ("damaged", "damaged"), ("later", "version")] {
        assert_eq!(told.one("page_unreadable", &format!("page={page} why={why}")), 1.0);
        assert_eq!(told.of_page(page).len(), 1, "{page}");
    }
    let names = |metrics: &Metrics| metrics.of_page("good").into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    assert_eq!(names(&told), names(&before));

    // A page that has gone is not there any more; one that was made anew is counted on.
    fs::remove_file(folder.page("cut")).unwrap();
    good.record_at(SECOND, SECOND);
    let spike = "page=good from=closed to=open reason=spike";
    assert_eq!(exporter.scrape().one("transitions_total", spike), 1.0);
    drop(good);
    fs::remove_file(folder.page("good")).unwrap();
    let mut anew = folder.breaker("good", config());
    anew.record_at(SECOND, SECOND);
    let told = exporter.scrape();
    assert_eq!((told.one("transitions_total", spike), told.of_page("cut").len()), (2.0, 0));
}

#[test]
fn an_owner_that_is_gone_is_told() {
    let folder = Folder::new("gone");
    let exporter = folder.exporter();
    assert_eq!(exporter.scrape().one("pages", ""), 0.0, "no page is no failure");
    let place = Place::elsewhere("gone-owner");
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");
    let exporter = Exporter::start(&[place.path.parent().unwrap().to_str().unwrap()]);
    let told = exporter.scrape();
    let page = "page=gone-owner";
    assert_eq!((told.one("owner_up", page), told.one("state", "page=gone-owner state=closed")), (1.0, 1.0));
    assert!(told.all("comes_back", page).is_empty());
    drop(owner);
    let told = exporter.scrape();
    assert_eq!(told.one("comes_back", "page=gone-owner state=open"), 1.0, "it was killed");
    assert_eq!((told.one("owner_up", page), told.one("state", "page=gone-owner state=no_owner")), (0.0, 1.0));
    assert_eq!(told.all("state", page).iter().sum::<f64>(), 1.0, "never a green closed");
    assert!(told.one("recorded_total", page) > 0.0);
}

#[test]
fn the_file_of_labels_is_read_at_each_scrape() {
    let folder = Folder::new("labels");
    let _breakers = ["a", "b"].map(|name| folder.breaker(name, config()));
    let labels = folder.page("labels.toml");
    fs::write(&labels, "[a]\ndesk = \"ra\\\"tes\\\\\"\nfolder = \"x\"\n").unwrap();
    let exporter = folder.exporter();
    let told = exporter.scrape();
    assert_eq!(told.one("owner_up", "page=a desk=ra\"tes\\"), 1.0);
    assert!(told.all("owner_up", "folder=x").is_empty(), "that one is the exporter's own");
    assert_eq!((told.one("labels_unreadable", ""), told.one("pages", "")), (0.0, 2.0));
    assert!(told.of_page("b").iter().all(|(_, labels, _)| !labels.contains_key("desk")));

    fs::write(&labels, "[a]\ndesk = 7\n").unwrap();
    let told = exporter.scrape();
    assert_eq!((told.one("labels_unreadable", ""), told.one("owner_up", "page=a desk=ra\"tes\\")), (1.0, 1.0));
    // One that begins so comes up, too: it is the only one that would tell.
    assert_eq!(folder.exporter().scrape().one("labels_unreadable", ""), 1.0);
    fs::write(&labels, "[b]\ndesk = \"fx\"\n").unwrap();
    let told = exporter.scrape();
    assert_eq!((told.one("labels_unreadable", ""), told.one("owner_up", "page=b desk=fx")), (0.0, 1.0));
}

#[test]
fn the_recorder_tells_how_far_it_is() {
    let folder = Folder::new("recorder");
    let path = folder.path.to_str().unwrap();
    let exporter = Exporter::start(&[path, "--record", path]);
    assert_eq!(exporter.scrape().one("recorder_unreadable", ""), 1.0);
    let status = folder.page("status.json");
    let whole = |utc: &str, behind: &str| {
        format!("{{\"state\":\"held_up\",\"utc\":\"{utc}\",\"behind\":{behind},\"missed\":2,\"more\":1}}{:99}\n", "")
    };
    for broken in [
        "",
        "{",
        "[]",
        &whole("yesterday", "3"),
        &whole("1969-12-31T23:59:59Z", "3"),
        &whole("1970-01-01T00:00:01Z", "-1"),
    ] {
        fs::write(&status, broken).unwrap();
        assert_eq!(exporter.scrape().one("recorder_unreadable", ""), 1.0, "{broken}");
    }
    fs::write(&status, whole("1970-01-01T00:00:01.500000Z", "3")).unwrap();
    let told = exporter.scrape();
    let value = |name: &str| told.one(&format!("recorder_{name}"), &format!("folder={path}"));
    assert_eq!((value("unreadable"), value("seen_timestamp_seconds")), (0.0, 1.5));
    assert_eq!((value("behind_lines"), value("failing"), value("missed_total")), (3.0, 1.0, 2.0));
    fs::write(&status, whole("1970-01-01T00:00:01Z", "0").replace("held_up", "recording")).unwrap();
    assert_eq!(exporter.scrape().one("recorder_failing", ""), 0.0);
}

#[test]
fn two_hundred_pages_and_several_who_scrape() {
    let folder = Folder::new("many");
    let mut breakers: Vec<_> = (0..200).map(|page| folder.breaker(&format!("p{page}"), config())).collect();
    for breaker in &mut breakers {
        (1..=99).for_each(|ms| breaker.record_at(SECOND, ms * 1_000_000));
        breaker.record_at(SECOND, SECOND);
    }
    let exporter = folder.exporter();
    let begin = Instant::now();
    exporter.get("/metrics", OPEN_METRICS);
    // The build for tests takes a fraction of a second, and the machine may be busy.

    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let told = exporter.scrape();
    assert_eq!((told.one("pages", ""), told.all("window_quantile_seconds", "q=0.99").len()), (200.0, 200));
    assert_eq!(told.all("window_quantile_seconds", "q=0.99"), [0.099; 200]);
    thread::scope(|scope| {
        let scrapes: Vec<_> = (0..2).map(|_| scope.spawn(|| exporter.scrape())).collect();
        for scrape in scrapes {
            let told = scrape.join().unwrap();
            assert_eq!(
                told.all("transitions_total", "from=closed to=open reason=spike"),
                [1.0; 200],
                "each counts once"
            );
        }
    });
}

#[test]
fn only_get_of_two_paths_is_answered() {
    let folder = Folder::new("http");
    let exporter = folder.exporter();
    assert_eq!(exporter.get("/healthz", "*/*").1, "ok\n");
    assert!(exporter.get("/metrics?x=1", "*/*").1.contains("trip99_pages 0\n"));
    let status = |request: &str| exporter.ask(request).0.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "404");
    assert_eq!(status("GET /metrics/x HTTP/1.1\r\n\r\n"), "404");
    assert_eq!(status("nonsense\r\n\r\n"), "400");
    assert_eq!(status(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9000))), "400");
    let (head, _) = exporter.ask("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nAllow: GET, HEAD"), "{head}");
    let (head, body) = exporter.ask("HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && !head.contains("Content-Length: 0") && body.is_empty(),
        "{head} {body}"
    );
}

#[test]
fn clients_that_hang_keep_nobody_waiting_and_are_given_up() {
    let folder = Folder::new("hang");
    let exporter = folder.exporter();
    let silent: Vec<TcpStream> = (0..100).map(|_| exporter.connect()).collect();
    let halves: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = exporter.connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost").unwrap();
            stream
        })
        .collect();
    let begin = Instant::now();
    exporter.scrape();
    // They would be given up after 5 s.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    for mut stream in silent.into_iter().chain(halves) {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    // Who goes away before the answer harms nobody, either.
    for _ in 0..20 {
        let mut stream = exporter.connect();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    }
    exporter.scrape();
}

#[test]
fn it_ends_by_a_signal_and_says_why_it_cannot_listen() {
    let folder = Folder::new("signal");
    for signal in [Signal::TERM, Signal::INT] {
        let exporter = folder.exporter();
        exporter.scrape();
        kill_process(Pid::from_child(&exporter.child), signal).unwrap();
        assert_eq!(exporter.ended(), Some(0));
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = folder.path.to_str().unwrap();
    fails(&["exporter", path, "--listen", &address], &["--listen", &address, "in use", "legal: an address"]);
    for wrong in ["127.0.0.1", "9099", "nowhere.invalid:9099", "127.0.0.1:99999", ""] {
        fails(&["exporter", path, "--listen", wrong], &["--listen", wrong, "legal: an address"]);
    }
}

#[test]
fn pages_of_all_places_are_found_as_they_come() {
    let place = Place::named("by-name");
    let exporter = Exporter::start(&[]);
    assert!(exporter.scrape().all("owner_up", "page=by-name").is_empty());
    let _breaker = place.breaker(Start::Closed);
    assert_eq!(exporter.scrape().all("owner_up", "page=by-name"), [1.0]);
    Gate::open(&place.path).unwrap().halt("x");
    assert!(exporter.scrape().all("halted", "page=by-name").iter().sum::<f64>() >= 1.0);
}
