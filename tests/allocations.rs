//! After construction no operation allocates. This program has no test harness: the allocator that counts is the whole
//! program's, and the harness allocates on another thread.

mod common;
use common::{MS, SECOND, config};
use trip99::{Breaker, Config, Recovery, State};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The operations in every state: trips of every kind, epochs, trials, checks, halts, misuse.
fn exercise(breaker: &mut Breaker, trials: bool) {
    let mut events = breaker.events();
    let observer = breaker.observer();
    let mut now_ns = 0;
    for round in 0..200 {
        for _ in 0..150 {
            now_ns += MS;
            if breaker.allow_at(now_ns) {
                let call = breaker.begin_at(now_ns);
                match round % 5 {
                    0 => breaker.end_at(now_ns + MS, call),
                    1 => breaker.fail_at(now_ns + 1, call),
                    2 => breaker.abandon_at(now_ns, call),
                    3 => breaker.end_at(now_ns + 300 * MS, call),
                    _ => {} // never comes back: overdue, stall, late trial
                }
                breaker.end_at(now_ns, call);
            }
            breaker.record_at(now_ns, if round % 7 == 0 { SECOND } else { MS });
            breaker.record_failure_at(now_ns, MS);
            breaker.record_probe_at(now_ns, 0, true);
            breaker.release_at(now_ns);
        }
        breaker.halt_at(now_ns, "");
        assert!(!breaker.allow_at(now_ns));
        breaker.resume_at(now_ns, "");
        now_ns = breaker.next_deadline_ns().clamp(now_ns, now_ns + 70 * SECOND);
        breaker.poll_at(now_ns);
        while breaker.state() == State::HalfOpen && trials && breaker.allow_at(now_ns) {
            breaker.record_at(now_ns, 0);
        }
        breaker.quantile_ns_at(now_ns, 990_000);
        let same = breaker.config().clone();
        assert_eq!(breaker.reconfigure_at(now_ns, &same), Ok(()));
        assert_eq!(breaker.snapshot().events, breaker.events().last().map_or(0, |event| event.sequence + 1));
        assert!(observer.snapshot().is_some() && events.by_ref().count() > 0);
    }
    breaker.poll();
    breaker.record(1);
    let call = breaker.begin();
    breaker.end(call);
}

fn main() {
    let settings = config();
    let base = Config { min_samples: 10, max_in_flight: 64, stall_limit_ns: 5 * SECOND, ..settings };
    let mut breakers = vec![
        (Breaker::new(base.clone()).unwrap(), true),
        (Breaker::new(Config { sample_every: 3, trials_in_flight: 3, ..base.clone() }).unwrap(), true),
        (Breaker::new(Config { recovery: Recovery::HealthChecks, ..base.clone() }).unwrap(), false),
        (Breaker::new(Config { shadow: true, ..base.clone() }).unwrap(), true),
    ];
    #[cfg(feature = "shm")]
    {
        let page = trip99::shared::path(&format!("test-{}-allocations", std::process::id())).unwrap();
        // The warden's threads are none of the owner's: the one that keeps halts in files allocates.
        let options = trip99::shared::Options::default().warden(false);
        let breaker = Breaker::create_shared_with(&page, base, trip99::Start::Closed, &options).unwrap();
        breakers.push((breaker, true));
        std::fs::remove_file(&page).unwrap();
        std::fs::remove_file(page.with_file_name(format!(".test-{}-allocations.lock", std::process::id()))).unwrap();
    }
    let profiler = dhat::Profiler::builder().testing().build();
    for (breaker, trials) in &mut breakers {
        exercise(breaker, *trials);
    }
    let blocks = dhat::HeapStats::get().total_blocks;
    // If the counter itself didn't work, this program would prove nothing.
    let witness = std::hint::black_box(Box::new(1));
    let with_witness = dhat::HeapStats::get().total_blocks;
    drop(profiler);
    assert_eq!((blocks, with_witness), (0, 1), "{witness}");
    for (breaker, trials) in &breakers {
        let snapshot = breaker.snapshot();
        assert!(snapshot.events > 400 && snapshot.misused > 0 && snapshot.stale > 0, "{trials} {snapshot:?}");
    }
    println!("after construction nothing allocates: ok");
}
