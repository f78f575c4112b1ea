use super::super::key::{Key, make_pair};
use super::super::line::{Item, Moment, body};
use super::super::sign::{Pace, Signer};
use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A folder that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("trip99-verify-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn verify_with(&self, files: &[Vec<u8>], given: &Given) -> Result<Whole, String> {
        let sources = files.iter().enumerate().map(|(index, bytes)| {
            let name = format!("{}.jsonl", index + 1);
            let path = self.0.join(&name);
            fs::write(&path, bytes).unwrap();
            Source { name, path }
        });
        verify(sources.collect(), given).unwrap()
    }

    fn verify(&self, files: &[Vec<u8>]) -> Result<Whole, String> {
        self.verify_with(files, &given())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn given() -> Given {
    Given { keys: Vec::new(), promise: Promise { lines: 5 }, anchors: BTreeMap::new() }
}

const MOMENT: Moment = Moment { wall_ns: 1_795_942_433_123_456_789, known: None };

/// A record of files with so many lines each, the first of which begins the file.
fn record(files: &[u32], key: Option<Key>) -> (Vec<Vec<u8>>, Head) {
    let pace = Pace { lines: 3, within: Duration::from_secs(3600) };
    let signer = Signer::new(key, pace, None, false, Head::NONE);
    let (mut head, mut signed) = (Head::NONE, signer.signed());
    let mut texts = Vec::new();
    for &count in files {
        let mut text = String::new();
        for number in 0..count {
            let kind = if number == 0 { "file" } else { "event" };
            head.append(&body(&Item::own(kind, json!({ "x": number })), &MOMENT), &mut text);
            if let Some(line) = signer.line(head, &mut signed, false, &MOMENT) {
                head.append(&line, &mut text);
            }
        }
        texts.push(text.into_bytes());
    }
    (texts, head)
}

fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn a_record_is_whole_in_any_order_of_its_files() {
    let scratch = Scratch::new();
    let (files, _) = record(&[4, 3, 1], None);
    let whole = scratch.verify(&files).unwrap();
    assert_eq!(whole.lines, ["8 lines to 8, whole", "not signed"]);
    scratch.verify(&[files[2].clone(), files[0].clone(), files[1].clone()]).unwrap();
    let part = scratch.verify(&files[1..]).unwrap();
    assert!(part.lines[1].contains("begins with line 5"), "{part:?}");
    let wrong = scratch.verify(&[files[0].clone(), files[2].clone()]).unwrap_err();
    assert_eq!(wrong, "lines 5 to 7 of the record are missing before 2.jsonl: line 1");
    assert!(scratch.verify(&[]).unwrap_err().contains("no line"));
    assert!(scratch.verify(&[Vec::new()]).unwrap_err().starts_with("1.jsonl is empty"));
    // The same file twice.
    assert!(scratch.verify(&[files[0].clone(), files[0].clone()]).unwrap_err().contains("was added"));
}

#[test]
fn each_flipped_byte_is_found_and_its_line_named() {
    let scratch = Scratch::new();
    let (files, _) = record(&[4], None);
    let file = &files[0];
    // Another case, a digit beside, a line's end, and no text at all.
    for (at, flip) in (0..file.len()).flat_map(|at| [0x20, 0x01, file[at] ^ b'\n', 0xff].map(|flip| (at, flip))) {
        let mut bytes = file.clone();
        bytes[at] ^= flip;
        if bytes[at] == file[at] {
            continue;
        }
        let number = file[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let wrong = scratch.verify(&[bytes]).expect_err(&format!("byte {at} isn't seen"));
        assert!(wrong.starts_with(&format!("1.jsonl: line {number} ")), "byte {at} of line {number}: {wrong}");
    }
}

#[test]
fn what_was_done_to_a_line_is_told() {
    let scratch = Scratch::new();
    let (files, _) = record(&[6], None);
    let whole = lines(&files[0]);
    let wrong = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        scratch.verify(&[lines.concat()]).unwrap_err()
    };
    let rehash = |line: &[u8], change: &dyn Fn(String) -> String| {
        let text = change(String::from_utf8(line.to_vec()).unwrap());
        let (body, _) = text.rsplit_once(",\"hash\"").unwrap();
        format!("{body},\"hash\":\"{}\"}}\n", super::super::chain::Digest::of(body.as_bytes())).into_bytes()
    };
    assert_eq!(wrong(&|lines| drop(lines.remove(2))), "line 3 of the record is missing before 1.jsonl: line 3");
    assert_eq!(
        wrong(&|lines| drop(lines.drain(1..4))),
        "lines 2 to 4 of the record are missing before 1.jsonl: line 2"
    );
    assert!(
        wrong(&|lines| drop(lines.remove(0))).starts_with("line 1 of the record is missing before 1.jsonl: line 1")
    );
    assert!(wrong(&|lines| lines.swap(2, 3)).starts_with("1.jsonl: line 3 is out of order: it is line 4"));
    assert!(wrong(&|lines| lines.swap(0, 1)).starts_with("1.jsonl: line 1 is out of order"));
    assert!(wrong(&|lines| lines.insert(4, whole[3].clone())).starts_with("1.jsonl: line 5 was added"));
    assert!(wrong(&|lines| lines.insert(4, whole[1].clone())).starts_with("1.jsonl: line 5 was added"));
    assert!(wrong(&|lines| lines.insert(1, whole[4].clone())).starts_with("1.jsonl: line 2 was added"));
    assert!(wrong(&|lines| lines.insert(2, b"{}\n".to_vec())).starts_with("1.jsonl: line 3 was added"));
    assert!(wrong(&|lines| lines.push(b"\n".to_vec())).starts_with("1.jsonl: line 7 was changed"));
    assert!(wrong(&|lines| lines[2] = b"{}\n".to_vec()).starts_with("1.jsonl: line 3 was changed"));
    // Changed by somebody who knows how lines are hashed.
    let forged = rehash(&whole[2], &|text| text.replace("\"x\":2", "\"x\":7"));
    assert!(
        wrong(&|lines| lines[2] = forged.clone()).starts_with("1.jsonl: line 3 was changed"),
        "{}",
        wrong(&|lines| lines[2] = forged.clone())
    );
    let forged =
        rehash(&whole[2], &|text| text.replace("\"previous\":\"", "\"previous\":\"0").replacen("0\",", "\",", 1));
    assert!(wrong(&|lines| lines[2] = forged.clone()).starts_with("1.jsonl: line 3 was changed"));
}

#[test]
fn a_torn_tail_is_told_from_tampering() {
    let scratch = Scratch::new();
    let (files, _) = record(&[4], None);
    let all = &files[0];
    let begin = all.len() - lines(all)[3].len();
    for cut in begin..=all.len() {
        let whole = scratch.verify(&[all[..cut].to_vec()]).unwrap_or_else(|wrong| panic!("{cut}: {wrong}"));
        let is_torn = cut > begin && cut + 1 < all.len();
        assert_eq!(whole.lines.iter().any(|line| line.contains("is torn")), is_torn, "{cut}: {whole:?}");
    }
    // Of a file before the last, too.
    let (files, _) = record(&[4, 2], None);
    let mut torn = files[0].clone();
    torn.extend(b"{\"n\":5,\"prev");
    scratch.verify(&[torn, files[1].clone()]).unwrap();
    let mut torn = files[0].clone();
    torn.truncate(torn.len() - 5);
    assert!(scratch.verify(&[torn, files[1].clone()]).unwrap_err().contains("is missing"));
}

fn key(scratch: &Scratch, name: &str) -> (Key, PublicKey) {
    let path = scratch.0.join(name);
    let public = make_pair(&path).unwrap();
    (Key::read(&path).unwrap(), PublicKey::read(&public).unwrap())
}

#[test]
fn signatures_are_checked_and_wanted() {
    let scratch = Scratch::new();
    let (key_a, public_a) = key(&scratch, "a");
    let (_, public_b) = key(&scratch, "b");
    let (files, _) = record(&[8], Some(key_a));
    let with = |keys: Vec<PublicKey>| Given { keys, ..given() };
    let whole = scratch.verify_with(&files, &with(vec![public_a])).unwrap();
    assert!(whole.lines[1].starts_with("signed up to line 8 by "), "{whole:?}");
    assert_eq!(whole.lines[2], "2 lines after that not signed");
    scratch.verify_with(&files, &with(vec![public_b, public_a])).unwrap();
    assert!(scratch.verify(&files).unwrap().lines[2].contains("--key"));
    assert!(scratch.verify_with(&files, &with(vec![public_b])).unwrap_err().contains("another key"));
    // Somebody without the key makes the chain anew from the fourth line on, which was the first signature.
    let (mut head, mut text) = (Head::NONE, String::new());
    for (number, kind) in (0..12).zip(std::iter::once("file").chain(std::iter::repeat("event"))) {
        head.append(&body(&Item::own(kind, json!({ "x": number })), &MOMENT), &mut text);
    }
    scratch.verify(&[text.clone().into_bytes()]).unwrap();
    let wrong = scratch.verify_with(&[text.into_bytes()], &with(vec![public_a])).unwrap_err();
    assert!(wrong.starts_with("1.jsonl: line 10 should have been signed"), "{wrong}");
    let (files, _) = record(&[2], None);
    assert_eq!(scratch.verify_with(&files, &with(vec![public_a])).unwrap_err(), "nothing is signed");
    // A signature of another line.
    let (key_c, public_c) = key(&scratch, "c");
    let (mut head, mut text) = (Head::NONE, String::new());
    let other = json!({ "signed": 1, "key": public_c.to_hex(), "signature": key_c.sign(Head::NONE) });
    for (kind, fields) in [("file", json!({})), ("signature", other)] {
        head.append(&body(&Item::own(kind, fields), &MOMENT), &mut text);
    }
    assert!(scratch.verify(&[text.into_bytes()]).unwrap_err().contains("line 2 was changed: its signature"));
}

#[test]
fn an_anchor_tells_of_a_cut() {
    let scratch = Scratch::new();
    let (files, head) = record(&[6], None);
    let anchor = |n, hash: String| Given { anchors: BTreeMap::from([(n, hash)]), ..given() };
    let whole = lines(&files[0]);
    let cut = vec![whole[..4].concat()];
    scratch.verify(&cut).unwrap();
    let right = anchor(head.n, head.hash.to_string());
    assert_eq!(scratch.verify_with(&files, &right).unwrap().lines.last().unwrap(), "anchored up to line 6");
    assert!(scratch.verify_with(&cut, &right).unwrap_err().starts_with("lines 5 to 6 are missing"));
    let other = anchor(3, head.hash.to_string());
    assert!(scratch.verify_with(&files, &other).unwrap_err().starts_with("1.jsonl: line 3 isn't the line 3"));
}

/// What somebody does to a file of lines.
#[derive(Clone, Debug)]
enum Tampering {
    Remove(usize),
    Swap(usize, usize),
    Copy(usize, usize),
    Flip(usize, u8),
    RemoveByte(usize),
    InsertByte(usize, u8),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    use Tampering::{Copy, Flip, InsertByte, Remove, RemoveByte, Swap};
    let index = 0..1000_usize;
    prop_oneof![
        index.clone().prop_map(Remove),
        (index.clone(), index.clone()).prop_map(|(a, b)| Swap(a, b)),
        (index.clone(), index).prop_map(|(a, b)| Copy(a, b)),
        (0..100_000_usize, 0..8_u8).prop_map(|(at, bit)| Flip(at, bit)),
        (0..100_000_usize).prop_map(RemoveByte),
        (0..100_000_usize, any::<u8>()).prop_map(|(at, byte)| InsertByte(at, byte)),
    ]
}

fn tamper(file: &mut Vec<u8>, with: &Tampering) {
    let mut parts = lines(file);
    let (count, len) = (parts.len(), file.len());
    if len == 0 {
        return;
    }
    match *with {
        Tampering::Remove(at) => drop(parts.remove(at % count)),
        Tampering::Swap(a, b) => parts.swap(a % count, b % count),
        Tampering::Copy(from, to) => parts.insert(to % (count + 1), parts[from % count].clone()),
        Tampering::Flip(at, bit) => return file[at % len] ^= 1 << bit,
        Tampering::RemoveByte(at) => {
            let _ = file.remove(at % len);
            return;
        }
        Tampering::InsertByte(at, byte) => return file.insert(at % (len + 1), byte),
    }
    *file = parts.concat();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// An anchor at the last line makes the end known, too.
    #[test]
    fn whatever_is_done_to_an_anchored_record_is_found(
        files in prop::collection::vec(1..5_u32, 1..3),
        doings in prop::collection::vec((0..3_usize, tampering()), 1..4),
    ) {
        let scratch = Scratch::new();
        let (whole, head) = record(&files, None);
        let anchored = Given { anchors: BTreeMap::from([(head.n, head.hash.to_string())]), ..given() };
        prop_assert!(scratch.verify_with(&whole, &anchored).is_ok());
        let mut changed = whole.clone();
        for (file, doing) in &doings {
            let count = changed.len();
            tamper(&mut changed[file % count], doing);
        }
        // The last line's end may be missing: nothing that the file says is lost by that. A file may be given twice as well as moved.
        let without_end = |files: &[Vec<u8>]| {
            let ends = files.iter().map(|file| file.strip_suffix(b"\n").unwrap_or(file).to_vec());
            let mut files: Vec<_> = ends.filter(|file| !file.is_empty()).collect();
            files.sort();
            files
        };
        // What is torn at an end is lost to nobody.
        let is_remark = scratch.verify_with(&changed, &anchored).is_ok_and(|whole| whole.lines.iter().any(|line| line.contains("torn")));
        if without_end(&changed) != without_end(&whole) && !is_remark {
            prop_assert!(scratch.verify_with(&changed, &anchored).is_err(), "{:?}", changed.iter().map(|file| String::from_utf8_lossy(file)).collect::<Vec<_>>());
        }
    }
}
