//! Messages: what is said, in which version, and signed by whom.
//!
//! A signed message is a JSON object: `v`, the version; `by`, the public key; `sig`, the signature; `body`, the JSON that is signed, as a
//! text, so that each byte of it is. What is signed begins with the fleet's name, so that no fleet hears another's.

use crate::failure::Failure;
use crate::keys::{self, Key};
use crate::selection::Selection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use trip99_labels::is_unseen;

/// The version of messages that this program speaks. A message of another version can't be understood, and what can't be understood halts.
pub const VERSION: u32 = 1;

/// The length of the longest text that a person gives, in bytes.
pub const MAX_REASON_BYTES: usize = 216;

/// The id of a halt or a resume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// A new one, which nobody else has.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub fn new() -> Result<Self, Failure> {
        keys::random_id().map(Self)
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first few digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if (8..=64).contains(&text.len()) && text.as_bytes().iter().all(is_digit) {
            Ok(Self(text))
        } else {
            Err(format!("the id {text:?}; legal: 8 to 64 hexadecimal digits"))
        }
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Stop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Halt {
    /// Which decision this is.
    pub id: Id,
    /// For which pages.
    pub selection: Selection,
    /// Why.
    pub reason: String,
    /// Who, by the tool's own account; the signature proves the key alone.
    pub who: String,
    /// When: UTC, in nanoseconds since the Unix epoch. It is only told.
    pub at_ns: u64,
}

/// The tombstones of halts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Which decision this is.
    pub id: Id,
    /// The halts that are over.
    pub ids: Vec<Id>,
    /// The bucket whose list the resumer has seen.
    pub bucket: String,
    /// The latest revision on that list. The resume counts only as the very next one.
    pub revision: u64,
    /// Why.
    pub reason: String,
    /// Who.
    pub who: String,
    /// When.
    pub at_ns: u64,
}

/// A governor's answer to an agent's ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// The ask's.
    pub nonce: String,
    /// Which bucket it is.
    pub bucket: String,
    /// The latest revision there.
    pub revision: u64,
    /// How long before this answer the governor began its latest read from the leader.
    pub age_ns: u64,
}

/// A line of the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Its number: they are counted from 1 without gaps.
    pub revision: u64,
    /// The signed message; empty for the first record, which only names the bucket.
    pub envelope: String,
}

/// A governor's answer to who asks for lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// The ask's.
    pub nonce: String,
    /// Which bucket it is.
    pub bucket: String,
    /// The latest revision there. More lines may have to be asked for.
    pub revision: u64,
    /// As in [`Answer`].
    pub age_ns: u64,
    /// In order.
    pub records: Vec<Record>,
}

/// What a governor did with a halt or a resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The id of the halt or the resume.
    pub about: Id,
    /// The bucket has it, at this revision.
    pub revision: Option<u64>,
    /// Why the bucket has it not.
    pub why: Option<String>,
}

/// What an agent tells of itself and its pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The id of the halt, or the nonce of who asks.
    pub about: String,
    /// The host, as it calls itself.
    pub host: String,
    /// UTC when this was made.
    pub wall_ns: u64,
    /// The latest revision that the agent has read.
    pub revision: u64,
    /// The ids that it knows are on its disk.
    pub stored: bool,
    /// A halt that was resumed before it came.
    pub is_dead: bool,
    /// Why it halts all of its pages, if it does.
    pub trouble: Option<String>,
    /// What is left of the lease; 0 if there is none.
    pub lease_left_ns: u64,
    /// How long the latest answer took to come.
    pub round_trip_ns: u64,
    /// Each of its pages. In a report of a halt only those that the halt selects.
    pub pages: Vec<PageReport>,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReport {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `closed`, `open` or `half_open`; empty if it can't be told.
    pub state: String,
    /// Every call is refused, as somebody halted.
    pub halted: bool,
    /// Every call is refused, as nobody judges.
    pub unwatched: bool,
    /// Who holds a halt.
    pub holders: Vec<String>,
    /// The window's quantile.
    pub quantile_ns: Option<u64>,
    /// Its threshold.
    pub threshold_ns: Option<u64>,
    /// The owner's process; 0 if it can't be told.
    pub owner_pid: u32,
    /// Whether an owner is there.
    pub owner_alive: bool,
    /// How long ago the owner published.
    pub seen_ago_ns: Option<u64>,
    /// What is left of the page's lease; `None` if it isn't leased.
    pub lease_left_ns: Option<u64>,
    /// Since when the agent holds the page (UTC); 0 if it doesn't.
    pub held_since_ns: u64,
    /// What is wrong with the page, if it can't be held or read.
    pub wrong: Option<String>,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Of a halter.
    Halt(Halt),
    /// Of a resumer.
    Resume(Resume),
    /// Of a governor.
    Answer(Answer),
    /// Of a governor.
    Records(Records),
    /// Of a governor.
    Taken(Taken),
    /// Of an agent.
    Report(Report),
}

/// What needs no signature: it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The latest version that the asker speaks.
    pub v: u32,
    /// Comes back in the answer.
    pub nonce: String,
    /// Lines after this revision are asked for.
    #[serde(default)]
    pub after: u64,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    v: u32,
    by: String,
    sig: String,
    body: String,
}

/// The part of a message that each version has.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

/// Why a message can't be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is of this other version.
    Version(u32),
    /// It is no message.
    Decoding(String),
    /// The signature is not that of the key.
    Signature,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(found) => write!(f, "a message of version {found}; known: {VERSION}"),
            Self::Decoding(what) => write!(f, "a message that can't be decoded: {what}"),
            Self::Signature => f.write_str("a message with a bad signature"),
        }
    }
}

/// A message whose signature is that of its key. What the key may do is for [`Trust`](crate::trust::Trust) to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The public key.
    pub by: String,
    /// What is said.
    pub body: Body,
}

fn signed(fleet: &str, body: &str) -> Vec<u8> {
    format!("trip99-fleet/{VERSION}/{fleet}\n{body}").into_bytes()
}

/// Signs.
///
/// # Errors
/// Never, as bodies can be written as JSON.
pub fn seal(key: &Key, fleet: &str, body: &Body) -> Result<String, Failure> {
    let body = serde_json::to_string(body).map_err(Failure::new)?;
    let sig = key.sign(&signed(fleet, &body))?;
    serde_json::to_string(&Envelope { v: VERSION, by: key.public(), sig, body }).map_err(Failure::new)
}

/// Reads, and checks the signature.
///
/// # Errors
/// It can't be understood.
pub fn open(fleet: &str, bytes: &[u8]) -> Result<Opened, Unreadable> {
    let decoding = |error: serde_json::Error| Unreadable::Decoding(error.to_string());
    let Versioned { v } = serde_json::from_slice(bytes).map_err(decoding)?;
    if v != VERSION {
        return Err(Unreadable::Version(v));
    }
    let Envelope { by, sig, body, .. } = serde_json::from_slice(bytes).map_err(decoding)?;
    if !keys::has_signed(&by, &signed(fleet, &body), &sig) {
        return Err(Unreadable::Signature);
    }
    Ok(Opened { by, body: serde_json::from_str(&body).map_err(decoding)? })
}

/// Reads what isn't signed.
///
/// # Errors
/// It can't be understood.
pub fn open_ask(bytes: &[u8]) -> Result<Ask, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| Unreadable::Decoding(error.to_string()))
}

/// A text that fits, and that shows what it is: control characters and those that turn the direction of writing are spaces.
pub fn clean(text: &str) -> String {
    let seen: String = text.chars().map(|letter| if is_unseen(letter) { ' ' } else { letter }).collect();
    let end = (0..=MAX_REASON_BYTES.min(seen.len())).rfind(|&end| seen.is_char_boundary(end)).unwrap_or(0);
    seen.get(..end).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halt() -> Body {
        let id = Id::new().unwrap();
        Body::Halt(Halt { id, selection: Selection::all(), reason: "prices".into(), who: "ann@h".into(), at_ns: 1 })
    }

    #[test]
    fn what_is_sealed_opens_and_nothing_else_does() {
        let (key, body) = (Key::new().unwrap(), halt());
        let text = seal(&key, "f", &body).unwrap();
        assert_eq!(open("f", text.as_bytes()), Ok(Opened { by: key.public(), body }));
        assert_eq!(open("g", text.as_bytes()), Err(Unreadable::Signature), "another fleet's");
        let changed = text.replace("prices", "prizes");
        assert_eq!(open("f", changed.as_bytes()), Err(Unreadable::Signature));
        let other = text.replace(&key.public(), &Key::new().unwrap().public());
        assert_eq!(open("f", other.as_bytes()), Err(Unreadable::Signature));
        assert_eq!(open("f", text.replace("\"v\":1", "\"v\":2").as_bytes()), Err(Unreadable::Version(2)));
        for wrong in ["", "{}", "[]", "\u{0}", "{\"v\":1}", "{\"v\":-1}"] {
            assert!(matches!(open("f", wrong.as_bytes()), Err(Unreadable::Decoding(_))), "{wrong}");
        }
        for cut in 0..text.len() {
            assert!(open("f", &text.as_bytes()[..cut]).is_err(), "{cut}");
        }
    }

    /// A halt of a later version that says for which other pages it is, too.
    const WIDER: &str = "{\"kind\":\"halt\",\"id\":\"00000001\",\"selection\":{\"labels\":{\"desk\":\"fx\"},\"or\":{\"desk\":\"rates\"}},\
        \"reason\":\"\",\"who\":\"\",\"at_ns\":0}";

    #[test]
    fn a_body_of_no_known_kind_is_not_understood() {
        let key = Key::new().unwrap();
        for body in
            ["{\"kind\":\"pause\"}", "{\"kind\":\"halt\"}", "{\"kind\":\"halt\",\"id\":\"../../x\"}", "7", WIDER]
        {
            let sig = key.sign(&signed("f", body)).unwrap();
            let envelope = Envelope { v: VERSION, by: key.public(), sig, body: body.to_owned() };
            let text = serde_json::to_string(&envelope).unwrap();
            assert!(matches!(open("f", text.as_bytes()), Err(Unreadable::Decoding(_))), "{body}");
        }
    }

    #[test]
    fn texts_are_cut_and_cleaned() {
        assert_eq!(clean(" a\x1b[31m\u{202e}b\n"), "a [31m b");
        assert_eq!(clean(&"\u{1f6d1}".repeat(100)).len(), 216);
    }
}
