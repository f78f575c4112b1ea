//! What an agent makes of the bytes that it hears: who said it, and whether that counts. Nothing here knows a clock, a network or a disk.

use crate::agent::{Agent, Line};
use crate::message::{self, Body, Halt, Record};
use crate::trust::{Role, Trust};

/// A halt that was heard, if its signature is a halter's.
///
/// # Errors
/// What is wrong with it. Then it may have been a halt, and the agent holds all.
pub fn halt(trust: &Trust, bytes: &[u8]) -> Result<Halt, String> {
    let opened = message::open(&trust.fleet, bytes).map_err(|why| why.to_string())?;
    let Body::Halt(halt) = opened.body else { return Err("what is no halt came as one".to_owned()) };
    match trust.name(Role::Halter, &opened.by) {
        Ok(_) => Ok(halt),
        Err(why) => Err(format!("a halt was signed by {}: {why}", opened.by)),
    }
}

/// What a governor says, if its signature is a governor's.
///
/// # Errors
/// What is wrong with it.
pub fn governor(trust: &Trust, bytes: &[u8]) -> Result<Body, String> {
    let opened = message::open(&trust.fleet, bytes).map_err(|why| why.to_string())?;
    match trust.name(Role::Governor, &opened.by) {
        Ok(_) => Ok(opened.body),
        Err(why) => Err(format!("an answer was signed by {}: {why}", opened.by)),
    }
}

/// Reads a line of the bucket. What isn't the next one changes nothing. If the line is a resume of somebody whose key doesn't count (any
/// more), it lifts nothing, and why is told.
///
/// # Errors
/// It can't be understood. It isn't read then, so that no answer agrees with the agent any more.
pub fn line(
    agent: &mut Agent,
    trust: &Trust,
    bucket: &str,
    record: &Record,
    now_ns: u64,
) -> Result<Option<String>, String> {
    let Record { revision, envelope } = record;
    if *revision == 1 && envelope.is_empty() {
        agent.line(bucket, 1, &Line::Nothing, now_ns);
        return Ok(None);
    }
    let opened = message::open(&trust.fleet, envelope.as_bytes()).map_err(|why| why.to_string())?;
    match opened.body {
        // Whoever signed it: in doubt it is a halt.
        Body::Halt(halt) => _ = agent.line(bucket, *revision, &Line::Halt(&halt, envelope), now_ns),
        Body::Resume(resume) => match trust.name(Role::Resumer, &opened.by) {
            Ok(_) => _ = agent.line(bucket, *revision, &Line::Tombstones(&resume.ids), now_ns),
            Err(why) => {
                agent.line(bucket, *revision, &Line::Nothing, now_ns);
                return Ok(Some(format!("line {revision} of the bucket is a resume that lifts nothing: {why}")));
            }
        },
        _ => return Err("neither a halt nor a resume".to_owned()),
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Heeded, Limits, PageFacts};
    use crate::keys::Key;
    use crate::message::{Answer, Id, Resume, VERSION};
    use crate::selection::Selection;
    use crate::time::S;

    const T0: u64 = 100 * S;

    fn sealed_as(v: u32, key: &Key, body: &Body) -> String {
        let body = serde_json::to_string(body).unwrap();
        let sig = key.sign(format!("trip99-fleet/{v}/f\n{body}").as_bytes()).unwrap();
        serde_json::json!({ "v": v, "by": key.public(), "sig": sig, "body": body }).to_string()
    }

    /// A key that may do all.
    fn fleet() -> (Trust, Key) {
        let (mut trust, key) = (Trust::new("f", vec!["nats://a".to_owned()], 3), Key::new().unwrap());
        Role::ALL.into_iter().for_each(|role| trust.add(role, "ann", &key.public()));
        (trust, key)
    }

    fn bodies() -> [Body; 3] {
        let (id, bucket) = (Id::new().unwrap(), "b".to_owned());
        let halt =
            Halt { id: id.clone(), selection: Selection::all(), reason: String::new(), who: String::new(), at_ns: 0 };
        let answer = Answer { nonce: "n".to_owned(), bucket: bucket.clone(), revision: 1, age_ns: 0 };
        let (reason, who) = (String::new(), String::new());
        let resume = Resume { id: Id::new().unwrap(), ids: vec![id], bucket, revision: 1, reason, who, at_ns: 0 };
        [Body::Halt(halt), Body::Answer(answer), Body::Resume(resume)]
    }

    /// One with a lease since `T0`, and its page.
    fn leased() -> (Agent, PageFacts<'static>) {
        let mut agent = Agent::new(Limits::default(), Default::default(), T0);
        agent.line("b", 1, &Line::Nothing, T0);
        assert_eq!(asked(&mut agent, 1, T0), Heeded::Good);
        (agent, PageFacts { path: "/a", lease_ends_ns: 0, is_unguarded: false, is_held: false })
    }

    fn asked(agent: &mut Agent, revision: u64, now_ns: u64) -> Heeded {
        agent.ask(now_ns.to_string(), now_ns);
        let answer = Answer { nonce: now_ns.to_string(), bucket: "b".into(), revision, age_ns: 0 };
        agent.answer(&answer, now_ns)
    }

    #[test]
    fn what_is_signed_in_this_version_is_understood_and_in_any_other_it_is_not() {
        let ((trust, key), [halt, answer, _]) = (fleet(), bodies());
        for v in [0, VERSION, VERSION + 1, u32::MAX] {
            let is_known = v == VERSION;
            let halt = super::halt(&trust, sealed_as(v, &key, &halt).as_bytes());
            let answer = governor(&trust, sealed_as(v, &key, &answer).as_bytes());
            assert_eq!((halt.is_ok(), answer.is_ok()), (is_known, is_known), "{v}");
            for why in [halt.err(), answer.err()].into_iter().flatten() {
                assert!(why.contains(&format!("version {v}; known: {VERSION}")), "{why}");
            }
        }
        // The version is signed, too.
        let changed = sealed_as(VERSION + 1, &key, &halt).replace("\"v\":2", "\"v\":1");
        assert!(super::halt(&trust, changed.as_bytes()).unwrap_err().contains("bad signature"));
    }

    #[test]
    fn what_is_not_understood_holds_each_page() {
        let ((trust, key), [halt, ..]) = (fleet(), bodies());
        for v in [VERSION - 1, VERSION + 1] {
            let (mut agent, page) = leased();
            assert!(agent.verdict(&page, T0).hold.is_none());
            let why = super::halt(&trust, sealed_as(v, &key, &halt).as_bytes()).unwrap_err();
            agent.fault(why, T0);
            assert!(agent.verdict(&page, T0).hold.unwrap().why.contains(&format!("version {v}")));
        }
    }

    #[test]
    fn a_line_of_another_version_is_never_passed_over() {
        let ((trust, key), [halt, _, resume]) = (fleet(), bodies());
        for (v, body) in [VERSION - 1, VERSION + 1].into_iter().flat_map(|v| [(v, &halt), (v, &resume)]) {
            let (mut agent, page) = leased();
            let record = |revision, v| Record { revision, envelope: sealed_as(v, &key, body) };
            assert!(line(&mut agent, &trust, "b", &record(2, v), T0).is_err());
            // Nor is it by the next one, so that no answer agrees, and the lease runs out.
            assert_eq!(line(&mut agent, &trust, "b", &record(3, VERSION), T0), Ok(None));
            assert_eq!((agent.kept().revision, asked(&mut agent, 3, T0 + S)), (1, Heeded::Behind));
            agent.tick(T0 + 2 * S);
            assert!(agent.verdict(&page, T0 + 2 * S).hold.is_some());
        }
    }
}
