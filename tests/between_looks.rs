//! A halt and a resume may come and go between two looks of the owner. Both are journaled, in order, at the next look,
//! whichever operation makes it. That look alone opens the gate again.

mod common;
use common::{MS, SECOND, breaker, config, reasons};
use trip99::{Breaker, Config, Gate, Reason, State};

const HALT: Reason = Reason::Halt;
const RESUME: Reason = Reason::Resume;

/// Open for an hour, from 0 on.
fn open() -> Breaker {
    let pause_ns = 3600 * SECOND;
    let pause = Config { backoff_base_ns: pause_ns, backoff_max_ns: pause_ns, ..config() };
    let mut breaker = breaker(Config { consecutive_failures: 1, ..pause });
    breaker.record_failure_at(0, 0);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

fn closed() -> Breaker {
    let mut breaker = breaker(config());
    breaker.poll_at(0);
    breaker
}

/// Reasons of halts and resumes.
fn halts(breaker: &Breaker) -> Vec<Reason> {
    reasons(breaker.events().filter(|event| [HALT, RESUME].contains(&event.reason)))
}

type Look = (&'static str, fn() -> Breaker, fn(&mut Breaker));

/// The owner looks when it polls, when it asks and the gate isn't clear, and at its own halts and resumes.
const LOOKS: [Look; 6] = [
    ("poll, closed", closed, |breaker| breaker.poll_at(MS)),
    ("poll, open", open, |breaker| breaker.poll_at(MS)),
    ("a refusal", open, |breaker| assert!(!breaker.allow_at(MS))),
    ("an ask that passes", closed, |breaker| assert!(breaker.allow_at(MS) != breaker.snapshot().halted)),
    // The owner's own event comes after the pair.
    ("halt", closed, |breaker| breaker.halt_at(MS, "")),
    ("resume", closed, |breaker| {
        breaker.resume_at(MS, "");
    }),
];

#[test]
fn a_pair_between_two_looks_is_journaled_by_the_next() {
    for (name, breaker, look) in LOOKS {
        // With a gate the owner looks at lanes, too.
        for others in [false, true] {
            let mut breaker = breaker();
            let gate = others.then(|| breaker.gate());
            flip(&mut breaker, gate.as_ref());
            assert_eq!(halts(&breaker), [], "{name}: nobody has looked");
            look(&mut breaker);
            let expected: &[Reason] = if name == "halt" { &[HALT, RESUME, HALT] } else { &[HALT, RESUME] };
            assert_eq!(halts(&breaker), expected, "{name}, others {others}");
            let times: Vec<u64> =
                breaker.events().filter(|event| event.reason == RESUME).map(|event| event.t_ns).collect();
            assert_eq!(times, [MS], "{name}, others {others}");
            // They are journaled once.
            breaker.poll_at(9 * MS);
            breaker.poll_at(19 * MS);
            assert_eq!(halts(&breaker), expected, "{name}, others {others}");
            assert_eq!(breaker.snapshot().halted, name == "halt");
        }
    }
}

/// A halt and a resume by another thread's handle.
fn flip(breaker: &mut Breaker, gate: Option<&Gate>) {
    let handle = gate.cloned().unwrap_or_else(|| breaker.gate());
    handle.halt("");
    assert!(!handle.allow());
    handle.resume("");
    assert!(!handle.allow() && handle.is_halted(), "nobody has looked");
}

#[test]
fn a_resume_and_a_halt_between_two_looks_are_journaled_too() {
    for (name, breaker, look) in LOOKS {
        let mut breaker = breaker();
        let gate = breaker.gate();
        gate.halt("");
        breaker.poll_at(0);
        assert_eq!(halts(&breaker), [HALT], "{name}");
        gate.resume("");
        gate.halt("");
        look(&mut breaker);
        let own = match name {
            "halt" => Some(HALT),
            "resume" => Some(RESUME),
            _ => None,
        };
        let expected: Vec<Reason> = [HALT, RESUME, HALT].into_iter().chain(own).collect();
        assert_eq!(halts(&breaker), expected, "{name}");
        assert_eq!(breaker.allow_at(2 * MS), name == "resume", "{name}");
    }
}

/// A breaker that looks after so many halts and resumes, and after one more halt if it `ends_halted`.
fn after(pairs: u64, ends_halted: bool) -> (Breaker, Gate) {
    let mut breaker = closed();
    let gate = breaker.gate();
    for _ in 0..pairs {
        gate.halt("");
        gate.resume("");
    }
    if ends_halted {
        gate.halt("");
    }
    breaker.poll_at(MS);
    (breaker, gate)
}

#[test]
fn a_pair_and_a_change_are_three_events_and_several_pairs_are_all_told() {
    for pairs in 0..8 {
        for ends_halted in [false, true] {
            let (breaker, _) = after(pairs, ends_halted);
            let mut expected = [HALT, RESUME].repeat(pairs as usize);
            expected.extend(ends_halted.then_some(HALT));
            assert_eq!(halts(&breaker), expected, "{pairs} pairs, halted {ends_halted}");
            let sequences: Vec<u64> = breaker.events().map(|event| event.sequence).collect();
            assert!(sequences.iter().copied().eq(0..expected.len() as u64), "{sequences:?}");
        }
    }
}

/// A breaker without a file keeps the latest 16 halts and resumes until it looks.
#[test]
fn of_more_than_are_kept_the_latest_are_journaled() {
    for pairs in 8..20 {
        for ends_halted in [false, true] {
            let (breaker, gate) = after(pairs, ends_halted);
            let first = if ends_halted { [RESUME, HALT] } else { [HALT, RESUME] };
            assert_eq!(halts(&breaker), first.repeat(8), "{pairs} pairs, halted {ends_halted}");
            assert_eq!(gate.log_entries(), 2 * pairs + u64::from(ends_halted));
            assert_eq!(gate.allow(), !ends_halted);
        }
    }
}
