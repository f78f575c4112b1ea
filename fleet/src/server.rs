//! The servers' configuration: users, and what each of them may do.

use crate::net::{Subjects, inbox_prefix};
use crate::trust::{Role, Trust};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What one user may do.
#[derive(Default)]
struct Rights {
    names: Vec<String>,
    publish: Vec<String>,
    subscribe: Vec<String>,
    /// It answers those who ask.
    answers: bool,
}

/// The users of a fleet, in an account of their own, as a file that a server includes.
pub fn users(trust: &Trust) -> String {
    let fleet = &trust.fleet;
    let mut text = format!(
        "# The users of the fleet {fleet}: made by trip99-fleet keys. Each member may do what it must, and nothing else.\n\
         accounts {{\n  trip99_{fleet} {{\n    jetstream: enabled\n    users: [\n"
    );
    for (key, rights) in rights(trust) {
        let list = |subjects: &[String]| {
            let quoted: Vec<String> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
            quoted.join(", ")
        };
        let answers = if rights.answers { ", allow_responses: { max: 1000, expires: \"1m\" }" } else { "" };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "      # {}\n      {{ nkey: {key}, permissions: {{\n          publish: {{ allow: [{}] }},\n          \
             subscribe: {{ allow: [{}] }}{answers} }} }}",
            rights.names.join(", "),
            list(&rights.publish),
            list(&rights.subscribe),
        );
    }
    text.push_str("    ]\n  }\n}\n");
    text
}

fn rights(trust: &Trust) -> BTreeMap<String, Rights> {
    let subjects = Subjects::new(&trust.fleet);
    let bucket = format!("trip99_{}", trust.fleet);
    let mut users: BTreeMap<String, Rights> = BTreeMap::new();
    for role in Role::ALL {
        for (name, key) in trust.trusted(role) {
            let rights = users
                .entry(key.to_owned())
                .or_insert_with(|| Rights { subscribe: vec![format!("{}.>", inbox_prefix(key))], ..Rights::default() });
            rights.names.push(format!("{role} {name}"));
            let (publish, subscribe) = match role {
                Role::Halter => (vec![subjects.halt(), subjects.lines(), subjects.status()], vec![]),
                Role::Resumer => (vec![subjects.resume(), subjects.lines(), subjects.status()], vec![]),
                Role::Agent => (
                    vec![subjects.ask(name), subjects.known(name), subjects.lines()],
                    vec![subjects.halt(), subjects.status()],
                ),
                Role::Governor => (
                    vec![
                        format!("$JS.API.STREAM.CREATE.KV_{bucket}"),
                        format!("$JS.API.STREAM.MSG.GET.KV_{bucket}"),
                        format!("$KV.{bucket}.>"),
                    ],
                    vec![subjects.halt(), subjects.known("*"), subjects.ask("*"), subjects.lines(), subjects.resume()],
                ),
            };
            rights.publish.extend(publish);
            rights.subscribe.extend(subscribe);
            rights.answers |= matches!(role, Role::Agent | Role::Governor);
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;

    #[test]
    fn who_is_revoked_is_no_user_and_governors_alone_write() {
        let [ann, bob, gov] = [(); 3].map(|()| Key::new().unwrap().public());
        let mut trust = Trust::new("f", vec!["nats://a".into()], 3);
        trust.add(Role::Halter, "ann", &ann);
        trust.add(Role::Resumer, "ann", &ann);
        trust.add(Role::Agent, "bob", &bob);
        trust.add(Role::Governor, "gov", &gov);
        let text = users(&trust);
        assert!(text.contains("# halter ann, resumer ann\n") && text.matches(&ann).count() == 2);
        assert_eq!(text.matches("$KV.").count(), 1);
        assert!(text.contains("\"trip99.f.ask.bob\"") && !text.contains("ask.ann"));
        trust.revoke(&bob);
        assert!(!users(&trust).contains(&bob));
    }
}
