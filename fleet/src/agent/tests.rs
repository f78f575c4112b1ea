use super::*;
use crate::selection::Selection;

const LIMITS: Limits = Limits { lease_ns: 2 * S, stale_after_ns: 15 * S, proven_ns: 10 * S };
const T0: u64 = 100 * S;

fn halt(id: &str) -> Halt {
    let id = Id::try_from(id.to_owned()).unwrap();
    Halt { id, selection: Selection::all(), reason: "prices".into(), who: "ann".into(), at_ns: 0 }
}

fn page(lease_ends_ns: u64) -> PageFacts<'static> {
    PageFacts { path: "/a", lease_ends_ns, is_unguarded: false, is_held: false }
}

fn answer(nonce: &str, revision: u64, age_ns: u64) -> Answer {
    Answer { nonce: nonce.into(), bucket: "b".into(), revision, age_ns }
}

/// One that has read the first line, and has a lease since `T0 + S`.
fn leased() -> Agent {
    let mut agent = Agent::new(LIMITS, Kept::default(), T0);
    assert!(agent.line("b", 1, &Line::Nothing, T0));
    assert_eq!(asked(&mut agent, T0 + S, 1, 0), Heeded::Good);
    agent
}

/// What comes of an answer that comes at once.
fn asked(agent: &mut Agent, now_ns: u64, revision: u64, age_ns: u64) -> Heeded {
    agent.ask(now_ns.to_string(), now_ns);
    agent.answer(&answer(&now_ns.to_string(), revision, age_ns), now_ns)
}

fn holds(agent: &mut Agent, page: PageFacts<'_>, now_ns: u64) -> bool {
    agent.tick(now_ns);
    agent.verdict(&page, now_ns).hold.is_some()
}

#[test]
fn a_late_joiner_holds_until_it_has_read_and_an_answer_agrees() {
    let mut agent = Agent::new(LIMITS, Kept::default(), T0);
    assert!(holds(&mut agent, page(0), T0));
    assert_eq!(asked(&mut agent, T0 + S, 1, 0), Heeded::Behind);
    assert!(agent.line("b", 1, &Line::Nothing, T0 + S) && holds(&mut agent, page(0), T0 + S));
    assert!(matches!(asked(&mut agent, T0 + S, 1, S + 1), Heeded::Nothing(_)), "read before this agent began");
    assert_eq!(asked(&mut agent, T0 + S, 1, S), Heeded::Good);
    let verdict = agent.verdict(&page(0), T0 + S);
    assert_eq!(verdict, Verdict { hold: None, lease_ends_ns: Some(T0 + 3 * S) });
}

#[test]
fn a_page_whose_lease_is_in_force_trades_on_while_the_agent_starts_again() {
    let mut agent = Agent::new(LIMITS, Kept::default(), T0);
    assert!(!holds(&mut agent, page(T0 + S), T0) && holds(&mut agent, page(T0 + S), T0 + S));
    assert!(holds(&mut agent, page(u64::MAX), T0), "no agent wrote that");
}

/// The agent before it may have been killed before what it heard was on the disk.
#[test]
fn a_held_page_stays_held_until_an_answer_agrees() {
    let held = PageFacts { is_held: true, ..page(T0 + 5 * S) };
    let mut agent = Agent::new(LIMITS, Kept::default(), T0);
    assert!(holds(&mut agent, held, T0), "though its lease is in force");
    assert!(agent.line("b", 1, &Line::Nothing, T0) && holds(&mut agent, held, T0));
    assert_eq!(asked(&mut agent, T0 + S, 1, 0), Heeded::Good);
    assert!(!holds(&mut agent, held, T0 + S));
}

#[test]
fn the_lease_runs_from_when_the_nonce_was_sent() {
    let mut agent = leased();
    agent.ask("late".into(), T0 + 2 * S);
    assert_eq!(agent.answer(&answer("late", 1, 0), T0 + 2 * S + S / 2), Heeded::Good);
    assert_eq!(agent.lease_ends_ns(), Some(T0 + 4 * S));
    assert!(!holds(&mut agent, page(0), T0 + 4 * S - 1) && holds(&mut agent, page(0), T0 + 4 * S));
    // An answer that comes again, or too late, or to another's ask, renews nothing.
    let mut agent = leased();
    assert_eq!(asked(&mut agent, T0 + 2 * S, 1, 0), Heeded::Good);
    agent.answer(&answer(&(T0 + S).to_string(), 1, 0), T0 + 2 * S);
    assert_eq!(agent.lease_ends_ns(), Some(T0 + 4 * S));
    assert!(matches!(agent.answer(&answer("other", 1, 0), T0 + 2 * S), Heeded::Nothing(_)));
    agent.ask("slow".into(), T0 + 2 * S);
    assert!(matches!(agent.answer(&answer("slow", 1, 0), T0 + 4 * S), Heeded::Nothing(_)));
}

#[test]
fn an_answer_that_names_what_was_not_read_is_none() {
    let mut agent = leased();
    assert_eq!(asked(&mut agent, T0 + 2 * S, 2, 0), Heeded::Behind);
    assert_eq!(agent.lease_ends_ns(), Some(T0 + 3 * S));
    let halt = halt("00000001");
    assert!(!agent.line("b", 3, &Line::Nothing, T0 + 2 * S), "a gap");
    assert!(agent.line("b", 2, &Line::Halt(&halt, "e"), T0 + 2 * S));
    assert!(agent.settle("/a", &Labels::unknown("a", "h")));
    assert_eq!(asked(&mut agent, T0 + 2 * S, 2, 0), Heeded::Good);
    let verdict = agent.verdict(&page(0), T0 + 2 * S);
    assert!(verdict.hold.unwrap().why.contains("prices (ann") && verdict.lease_ends_ns.is_some());
    assert!(agent.line("b", 3, &Line::Tombstones(std::slice::from_ref(&halt.id)), T0 + 2 * S));
    assert!(!holds(&mut agent, page(0), T0 + 2 * S));
    assert_eq!(agent.halt(&halt, "e"), Heard::Dead);
}

#[test]
fn governors_that_do_not_hear_the_leader_renew_nothing() {
    let mut agent = leased();
    assert_eq!(asked(&mut agent, T0 + 2 * S, 1, 2 * S), Heeded::Good);
    let mut old = Agent::new(LIMITS, Kept::default(), 0);
    old.line("b", 1, &Line::Nothing, 0);
    assert_eq!(asked(&mut old, T0, 1, 15 * S), Heeded::Good);
    assert!(matches!(asked(&mut old, T0 + S, 1, 15 * S + 1), Heeded::Nothing(_)));
}

#[test]
fn after_a_lapse_a_read_that_began_before_it_counts_for_nothing() {
    let mut agent = leased();
    assert!(holds(&mut agent, page(0), T0 + 3 * S));
    assert!(matches!(asked(&mut agent, T0 + 4 * S, 1, S + 1), Heeded::Nothing(_)));
    for second in 4..14 {
        assert_eq!(asked(&mut agent, T0 + second * S, 1, S * u64::from(second == 4)), Heeded::Good);
        assert!(holds(&mut agent, page(0), T0 + second * S), "it has yet to prove itself");
    }
    assert_eq!(asked(&mut agent, T0 + 14 * S, 1, 0), Heeded::Good);
    assert!(!holds(&mut agent, page(0), T0 + 14 * S));
}

#[test]
fn a_revision_that_goes_back_is_a_fault_unless_the_governor_just_lags() {
    let mut agent = leased();
    assert!(agent.line("b", 2, &Line::Nothing, T0 + 2 * S));
    assert_eq!(asked(&mut agent, T0 + 2 * S, 1, 0), Heeded::Nothing("governors are behind"));
    assert!(!agent.has_fault());
    assert!(matches!(asked(&mut agent, T0 + 2 * S + 1, 1, 0), Heeded::Fault(_)));
    let mut agent = leased();
    let other = Answer { bucket: "c".into(), ..answer("x", 1, 0) };
    agent.ask("x".into(), T0 + 2 * S);
    assert!(matches!(agent.answer(&other, T0 + 2 * S), Heeded::Fault(_)));
    assert!(!agent.line("c", 2, &Line::Nothing, T0 + 2 * S));
}

#[test]
fn a_fault_holds_all_until_10_s_of_unbroken_answers() {
    let mut agent = leased();
    agent.fault("a bad signature".into(), T0 + 2 * S);
    let mut now_ns = T0 + 2 * S;
    assert!(matches!(asked(&mut agent, now_ns, 1, 1), Heeded::Nothing(_)), "read before the fault");
    while now_ns < T0 + 12 * S {
        assert!(holds(&mut agent, page(now_ns + S), now_ns));
        assert_eq!(asked(&mut agent, now_ns, 1, 0), Heeded::Good);
        now_ns += S;
    }
    assert!(holds(&mut agent, page(0), now_ns));
    assert_eq!(asked(&mut agent, now_ns, 1, 0), Heeded::Good);
    assert!(!holds(&mut agent, page(0), now_ns));
    // A lapse in between begins the 10 s anew.
    agent.fault("once more".into(), now_ns);
    asked(&mut agent, now_ns + S, 1, 0);
    now_ns += 5 * S;
    for _ in 0..10 {
        assert_eq!(asked(&mut agent, now_ns, 1, 0), Heeded::Good);
        assert!(holds(&mut agent, page(0), now_ns));
        now_ns += S;
    }
    assert_eq!(asked(&mut agent, now_ns, 1, 0), Heeded::Good);
    assert!(!holds(&mut agent, page(0), now_ns));
}

#[test]
fn a_page_without_a_warden_is_held() {
    let mut agent = leased();
    let page = PageFacts { is_unguarded: true, ..page(0) };
    assert!(holds(&mut agent, page, T0 + S));
}

#[test]
fn a_halt_that_is_not_in_the_bucket_is_handed_on() {
    let mut agent = leased();
    let halt = halt("00000001");
    assert_eq!(agent.halt(&halt, "envelope"), Heard::New);
    assert_eq!(agent.unfiled().collect::<Vec<_>>(), ["envelope"]);
    agent.line("b", 2, &Line::Halt(&halt, "envelope"), T0);
    assert_eq!(agent.unfiled().count(), 0);
}

#[test]
fn what_is_kept_survives_its_disk() {
    let mut agent = leased();
    agent.halt(&halt("00000001"), "e");
    agent.settle("/a", &Labels::unknown("a", "h"));
    let text = serde_json::to_string(agent.kept()).unwrap();
    let mut again = Agent::new(LIMITS, serde_json::from_str(&text).unwrap(), T0 + 50 * S);
    assert_eq!(again.kept(), agent.kept());
    assert!(holds(&mut again, page(T0 + 51 * S), T0 + 50 * S), "an id holds from the first moment on");
}
