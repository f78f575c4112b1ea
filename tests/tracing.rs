//! The listener for `tracing` (feature `tracing`): levels and fields.

mod common;
use common::{breaker, config};
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use trip99::Config;
use trip99::supervisor::{Listener, Notice, log_to_tracing};

/// Keeps each event's level and fields.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(Level, String)>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").expect("text");
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "trip99"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().expect("a list").push((*event.metadata().level(), text.0));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn what_opens_a_breaker_is_a_warning() {
    let kept = Kept::default();
    tracing::subscriber::set_global_default(kept.clone()).expect("the only one");
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    breaker.halt_at(5, "");
    breaker.record_at(10, u64::MAX >> 1);
    breaker.resume_at(11, ""); // while open
    breaker.poll_at(1_000_000_010);
    drop(Listener::spawn("gateway", &breaker.observer(), Listener::INTERVAL, log_to_tracing).expect("a thread"));
    log_to_tracing("gateway", Notice::Missed(7));

    let kept = kept.0.lock().expect("a list");
    let levels: Vec<_> = kept.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::INFO, Level::WARN, Level::INFO, Level::INFO, Level::WARN]);
    let trip = &kept[1].1;
    for part in [
        "message=gateway: closed -> open: spike ",
        r#"breaker="gateway" sequence=1 from="closed" to="open" reason="spike" "#,
        "samples=1 slow=1 overdue=0 failures=0 attempt=0 retry_at_ns=1000000010 t_ns=10 ",
    ] {
        assert!(trip.contains(part), "{part} in {trip}");
    }
    assert!(!kept[3].1.contains("retry_at_ns"), "no deadline: {}", kept[3].1);
    assert!(kept[4].1.contains("missed=7"));
}
