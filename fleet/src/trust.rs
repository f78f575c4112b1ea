//! The fleet's file: its servers, its members and their keys by role, and the keys that are revoked. Every command reads the same file.
//!
//! ```toml
//! fleet = "london"
//! servers = ["tls://nats-1:4222", "tls://nats-2:4222", "tls://nats-3:4222"]
//!
//! [tls]
//! ca = "/etc/trip99/ca.pem"
//!
//! [halters]
//! ann = "UA..."
//! [resumers]
//! bob = "UB..."
//! [governors]
//! gov-1 = "UC..."
//! [agents]
//! engine-7 = "UD..."
//!
//! [revoked]
//! keys = ["UE..."]
//! ```

use crate::failure::Failure;
use crate::keys;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Publishes halts.
    Halter,
    /// Lifts halts.
    Resumer,
    /// Answers agents, and alone writes the bucket.
    Governor,
    /// Holds the pages of a host.
    Agent,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Halter, Self::Resumer, Self::Governor, Self::Agent];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Halter => "halter",
            Self::Resumer => "resumer",
            Self::Governor => "governor",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a signature counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The key is on the list of those that are revoked.
    Revoked,
    /// No member has this key for this role.
    Unknown,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "its key is revoked",
            Self::Unknown => "its key has not this role",
        })
    }
}

type Members = BTreeMap<String, String>;

/// Keys of the servers' connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Who vouches for the servers.
    pub ca: Option<PathBuf>,
    /// The client's certificate, with its key.
    pub cert: Option<PathBuf>,
    /// That key.
    pub key: Option<PathBuf>,
}

/// What the fleet's file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// The fleet's name, which is part of subjects and of the bucket's name.
    pub fleet: String,
    /// Every server.
    pub servers: Vec<String>,
    /// The copies of the bucket.
    #[serde(default = "three")]
    pub replicas: u32,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    halters: Members,
    #[serde(default)]
    resumers: Members,
    #[serde(default)]
    governors: Members,
    #[serde(default)]
    agents: Members,
    #[serde(default)]
    revoked: Revoked,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    #[serde(default)]
    keys: BTreeSet<String>,
}

const fn three() -> u32 {
    3
}

/// Whether a text can be part of a subject, of a bucket's name and of a file's name.
pub fn is_name(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    (1..=32).contains(&text.len()) && text.chars().all(fits)
}

impl Trust {
    /// An empty one.
    pub fn new(fleet: &str, servers: Vec<String>, replicas: u32) -> Self {
        Self { fleet: fleet.to_owned(), servers, replicas, ..Self::default() }
    }

    /// Reads the fleet's file.
    ///
    /// # Errors
    /// What is wrong with it, and what is legal.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |what: &dyn fmt::Display| {
            Failure::new(format_args!(
                "{}: {what}; legal: a fleet's file, as trip99-fleet keys makes it",
                path.display()
            ))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        Self::parse(&text).map_err(|what| wrong(&what))
    }

    /// As [`read`](Self::read), from a text.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trust: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if !is_name(&trust.fleet) {
            return Err(format!("fleet = {:?}; legal: 1 to 32 of letters, digits, - and _", trust.fleet));
        }
        if trust.servers.is_empty() {
            return Err("servers = []; legal: the address of each server".to_owned());
        }
        for role in Role::ALL {
            for (name, key) in trust.members(role) {
                if !is_name(name) {
                    return Err(format!("the {role} {name:?}; legal: 1 to 32 of letters, digits, - and _"));
                }
                if !keys::is_public(key) {
                    return Err(format!("the {role} {name} has the key {key:?}; legal: a public key of a user (U...)"));
                }
            }
        }
        Ok(trust)
    }

    /// The members of a role, by name, with their keys. Some may be revoked.
    pub fn members(&self, role: Role) -> &Members {
        match role {
            Role::Halter => &self.halters,
            Role::Resumer => &self.resumers,
            Role::Governor => &self.governors,
            Role::Agent => &self.agents,
        }
    }

    /// The members of a role whose keys count.
    pub fn trusted(&self, role: Role) -> impl Iterator<Item = (&str, &str)> {
        let members = self.members(role).iter().map(|(name, key)| (name.as_str(), key.as_str()));
        members.filter(|(_, key)| !self.revoked.keys.contains(*key))
    }

    /// Adds a member.
    pub fn add(&mut self, role: Role, name: &str, public: &str) {
        let members = match role {
            Role::Halter => &mut self.halters,
            Role::Resumer => &mut self.resumers,
            Role::Governor => &mut self.governors,
            Role::Agent => &mut self.agents,
        };
        members.insert(name.to_owned(), public.to_owned());
    }

    /// Revokes a key.
    pub fn revoke(&mut self, public: &str) {
        self.revoked.keys.insert(public.to_owned());
    }

    /// Whose signature this is.
    ///
    /// # Errors
    /// It counts for nothing.
    pub fn name(&self, role: Role, public: &str) -> Result<&str, Distrust> {
        let found = self.members(role).iter().find(|(_, key)| *key == public);
        match found {
            _ if self.revoked.keys.contains(public) => Err(Distrust::Revoked),
            Some((name, _)) => Ok(name),
            None => Err(Distrust::Unknown),
        }
    }

    /// Every role of a key, with its name there.
    pub fn roles(&self, public: &str) -> Vec<(Role, &str)> {
        Role::ALL.into_iter().filter_map(|role| self.name(role, public).ok().map(|name| (role, name))).collect()
    }

    /// Sets the keys of the connections.
    pub fn set_tls(&mut self, tls: Tls) {
        self.tls = tls;
    }

    /// Keys of the connections.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;

    #[test]
    fn a_key_has_its_roles_until_it_is_revoked() {
        let (ann, bob) = (Key::new().unwrap().public(), Key::new().unwrap().public());
        let text = format!(
            "fleet = \"f\"\nservers = [\"nats://a\"]\n[halters]\nann = \"{ann}\"\n[resumers]\nann = \"{ann}\"\nbob = \"{bob}\"\n\
             [revoked]\nkeys = [\"{bob}\"]"
        );
        let trust = Trust::parse(&text).unwrap();
        assert_eq!(trust.roles(&ann), [(Role::Halter, "ann"), (Role::Resumer, "ann")]);
        assert_eq!(trust.name(Role::Agent, &ann), Err(Distrust::Unknown));
        assert_eq!(trust.name(Role::Resumer, &bob), Err(Distrust::Revoked));
        assert_eq!(trust.trusted(Role::Resumer).count(), 1);
        let again = Trust::parse(&toml::to_string(&trust).unwrap()).unwrap();
        assert_eq!(again, trust);
    }

    #[test]
    fn mistakes_name_what_is_legal() {
        for (text, what) in [
            ("", "missing field"),
            ("fleet = \"a.b\"\nservers = [\"x\"]", "legal: 1 to 32 of letters"),
            ("fleet = \"a\"\nservers = []", "legal: the address of each server"),
            ("fleet = \"a\"\nservers = [\"x\"]\n[halters]\nann = \"SU\"", "legal: a public key"),
            ("fleet = \"a\"\nservers = [\"x\"]\n[halters]\n\"a*\" = \"U\"", "the halter \"a*\""),
            ("fleet = \"a\"\nservers = [\"x\"]\nhalter = 1", "unknown field `halter`"),
        ] {
            let error = Trust::parse(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
