//! The chain: each line holds its number, the hash of the line before, and its own hash.
//!
//! ```text
//! {"n":7,"previous":"<hash of line 6>","kind":...,"hash":"<SHA-256 of all bytes before ,"hash">"}
//! ```

use sha2::{Digest as _, Sha256};
use std::fmt::{self, Display, Write};

/// A SHA-256, written as 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        read_hex(text).map(Self)
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).map_or('0', |&digit| char::from(digit));
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
}

/// Bytes as [`hex`] writes them. `None` if they are written in any other way, or are more or fewer.
pub(crate) fn read_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(bytes)
}

/// The last line: its number, and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) n: u64,
    pub(crate) hash: Digest,
}

impl Head {
    /// Before the first line. That line names a hash of zeros.
    pub(crate) const NONE: Self = Self { n: 0, hash: Digest([0; 32]) };

    /// Appends a line to a text. `body` is a JSON object in one line, with fields of its own.
    pub(crate) fn append(&mut self, body: &str, text: &mut String) {
        let start = text.len();
        let fields = body.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(body);
        let n = self.n + 1;
        // Writing to a text doesn't fail.
        let _ = write!(text, "{{\"n\":{n},\"previous\":\"{}\",{fields}", self.hash);
        let hash = Digest::of(text.get(start..).unwrap_or_default().as_bytes());
        let _ = writeln!(text, ",\"hash\":\"{hash}\"}}");
        *self = Self { n, hash };
    }
}

/// What a whole, unchanged line says of its place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) n: u64,
    pub(crate) previous: Digest,
    pub(crate) hash: Digest,
    /// It is the first line of a file.
    pub(crate) begins_file: bool,
}

impl Link {
    /// Reads a line without its end. `None` if its hash isn't that of its bytes.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (n, rest) = line.strip_prefix("{\"n\":")?.split_once(",\"previous\":\"")?;
        let (previous, rest) = rest.split_once("\",")?;
        let (body, hash) = line.rsplit_once(",\"hash\":\"")?;
        let (n, previous) = (n.parse().ok()?, Digest::read(previous)?);
        let hash = Digest::read(hash.strip_suffix("\"}")?)?;
        let begins_file = rest.starts_with("\"kind\":\"file\"");
        (Digest::of(body.as_bytes()) == hash).then_some(Self { n, previous, hash, begins_file })
    }

    pub(crate) fn follows(&self, head: Head) -> bool {
        self.n == head.n.saturating_add(1) && self.previous == head.hash
    }

    pub(crate) fn head(&self) -> Head {
        Head { n: self.n, hash: self.hash }
    }
}

/// Whether these bytes can be the begin of the line after `head`: what a write that was cut off leaves.
pub(crate) fn is_torn(tail: &[u8], head: Head) -> bool {
    let begin = format!("{{\"n\":{},\"previous\":\"{}\",", head.n.saturating_add(1), head.hash);
    let common = tail.len().min(begin.len());
    let is_begin = tail.get(..common) == begin.as_bytes().get(..common);
    let is_cut = serde_json::from_slice::<serde::de::IgnoredAny>(tail).is_err_and(|error| error.is_eof());
    is_begin && is_cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chained() {
        let (mut head, mut text) = (Head::NONE, String::new());
        head.append(r#"{"kind":"file"}"#, &mut text);
        let first = head;
        head.append(r#"{"kind":"event","hash":"x"}"#, &mut text);
        let lines: Vec<&str> = text.lines().collect();
        let links: Vec<Link> = lines.iter().map(|line| Link::read(line.as_bytes()).unwrap()).collect();
        assert!(links[0].follows(Head::NONE) && links[0].begins_file && !links[1].begins_file);
        assert!(links[1].follows(first) && links[1].head() == head && head.n == 2);
        assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
        let zeros = "0".repeat(64);
        let body = format!(r#"{{"n":1,"previous":"{zeros}","kind":"file""#);
        assert_eq!(lines[0], format!(r#"{body},"hash":"{}"}}"#, Digest::of(body.as_bytes())));
        // As `printf %s abc | sha256sum` says.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((Digest::of(b"abc").to_string().as_str(), Digest::read(abc)), (abc, Some(Digest::of(b"abc"))));
        assert_eq!(Digest::read(&abc.to_uppercase()), None);
        assert_eq!(read_hex::<1>("a"), None);
        assert_eq!(read_hex::<1>("abc"), None);
    }

    #[test]
    fn each_changed_bit_of_a_line_is_seen() {
        let (mut head, mut text) = (Head::NONE, String::new());
        head.append(r#"{"kind":"event","why":"prices look wrong"}"#, &mut text);
        let line = text.trim_end().as_bytes();
        for bit in 0..line.len() * 8 {
            let mut line = line.to_vec();
            line[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Link::read(&line), None, "bit {bit}");
        }
    }

    #[test]
    fn a_torn_line_is_a_begin_and_nothing_else() {
        let (mut head, mut text) = (Head::NONE, String::new());
        head.append(r#"{"kind":"event","why":"prices \"look\" wrong"}"#, &mut text);
        let line = text.trim_end();
        for cut in 1..line.len() {
            assert!(is_torn(&line.as_bytes()[..cut], Head::NONE), "{cut}");
            assert!(cut <= 5 || !is_torn(&line.as_bytes()[..cut], head), "{cut}: of another place");
        }
        assert!(!is_torn(line.as_bytes(), Head::NONE), "it is whole");
        assert!(!is_torn(format!("{line}x").as_bytes(), Head::NONE), "and more than whole");
        assert!(!is_torn(b"{\"n\":1,\"prev!", Head::NONE));
    }
}
