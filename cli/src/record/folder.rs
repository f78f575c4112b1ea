//! The folder of the record: a file a day, to which one recorder appends.

use super::chain::{Head, Link, is_torn};
use super::position::Positions;
use crate::failure::{Failure, warn};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) struct Folder {
    path: PathBuf,
    /// The folder itself, locked.
    lock: File,
    file: Option<DayFile>,
    pub(crate) head: Head,
    pub(crate) positions: Positions,
    /// What a write that was cut off left, and is to be told of.
    pub(crate) torn: Option<Torn>,
}

/// The file that is appended to.
struct DayFile {
    path: PathBuf,
    file: File,
    /// What is whole, and on the disk.
    len: u64,
    /// Its name is on the disk, too.
    is_named: bool,
}

/// The begin of a line that an earlier recorder, or the disk, didn't finish.
pub(crate) struct Torn {
    pub(crate) bytes: Vec<u8>,
    pub(crate) file: String,
}

/// What a file tells.
struct Told {
    head: Head,
    positions: Positions,
    /// The length of its whole lines.
    len: u64,
    /// What comes after these.
    tail: Vec<u8>,
}

impl Folder {
    /// Makes the folder if it is missing, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: &io::Error| Failure::new(format_args!("cannot record to {}: {error}", path.display()));
        make(path).map_err(|error| cannot(&error))?;
        let lock = File::open(path).map_err(|error| cannot(&error))?;
        match take(&lock) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let legal = "legal: one recorder a folder; give this one another folder by --to";
                let what = format_args!("another recorder writes to {}; {legal}", path.display());
                return Err(Failure::new(what));
            }
            Err(error) => return Err(cannot(&error.into())),
        }
        let mut folder = Self {
            path: path.to_owned(),
            lock,
            file: None,
            head: Head::NONE,
            positions: Positions::default(),
            torn: None,
        };
        folder.recover().map_err(|error| cannot(&error))?;
        Ok(folder)
    }

    /// The name of the file that is appended to.
    pub(crate) fn file_name(&self) -> Option<String> {
        self.file.as_ref().map(|file| name(&file.path))
    }

    /// The day of that file.
    pub(crate) fn day(&self) -> Option<String> {
        self.file_name().map(|name| name.chars().take(DAY_LEN).collect())
    }

    /// Goes on where the last line of the last file ends.
    fn recover(&mut self) -> io::Result<()> {
        self.file = None;
        let Some(path) = self.last_file()? else { return Ok(()) };
        let told = read(&path)?;
        (self.head, self.positions) = (told.head, told.positions);
        let file = OpenOptions::new().append(true).open(&path)?;
        let mut file = DayFile { path, file, len: told.len, is_named: true };
        let has_all_but_end = Link::read(&told.tail).is_some_and(|link| link.follows(told.head));
        if has_all_but_end {
            file.append(b"\n")?;
            file.len += told.tail.len() as u64;
            self.head = Link::read(&told.tail).map_or(told.head, |link| link.head());
            self.positions.take_line(&told.tail);
        } else if !told.tail.is_empty() {
            if !is_torn(&told.tail, told.head) {
                warn(format_args!(
                    "the end of {} is no line that was cut off; trip99 record verify",
                    file.path.display()
                ));
            }
            self.torn = Some(Torn { bytes: told.tail, file: name(&file.path) });
            // A file that may only be appended to keeps what was torn, and another file goes on.
            if file.file.set_len(told.len).is_err() {
                return Ok(());
            }
        }
        self.file = Some(file);
        Ok(())
    }

    /// The file that the chain ends in.
    fn last_file(&self) -> io::Result<Option<PathBuf>> {
        let mut last = None;
        for path in files(&self.path)? {
            last = last.max(first_number(&path)?.map(|n| (n, path)));
        }
        Ok(last.map(|(_, path)| path))
    }

    /// Appends lines, which end the chain at `head`. They are on the disk when this returns. If it fails, none of them is there, as
    /// far as can be done.
    pub(crate) fn append(&mut self, lines: &str, head: Head) -> io::Result<()> {
        self.sync_name()?;
        let Some(file) = &mut self.file else { return Err(io::Error::other("no file is open")) };
        if let Err(error) = file.append(lines.as_bytes()) {
            // What is there of them is read again before anything else is written.
            if file.cut().is_err() {
                self.file = None;
                self.recover()?;
            }
            return Err(error);
        }
        self.head = head;
        Ok(())
    }

    /// Begins a file, with its first line. The file gets its name when it has that line: no file of the record is ever empty.
    pub(crate) fn begin(&mut self, name: &str, line: &str, head: Head) -> io::Result<()> {
        make(&self.path)?;
        let new = self.path.join(NEW);
        // What a killed recorder left has no name in the record.
        let _ = fs::remove_file(&new);
        let file = OpenOptions::new().append(true).create_new(true).mode(0o640).open(&new)?;
        let path = self.path.join(name);
        let mut file = DayFile { path: path.clone(), file, len: 0, is_named: false };
        file.append(line.as_bytes())?;
        fs::rename(&new, &path)?;
        (self.head, self.file) = (head, Some(file));
        self.sync_name()
    }

    /// A file without its name would be lost.
    fn sync_name(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_mut().filter(|file| !file.is_named) {
            File::open(&self.path)?.sync_all()?;
            file.is_named = true;
        }
        Ok(())
    }

    /// A name for a file of this day, that no file has.
    pub(crate) fn free_name(&self, day: &str) -> String {
        let names = (1_u32..).map(|number| match number {
            1 => format!("{day}.jsonl"),
            number => format!("{day}.{number}.jsonl"),
        });
        let is_free = |name: &String| fs::symlink_metadata(self.path.join(name)).is_err();
        names.into_iter().find(is_free).unwrap_or_default()
    }

    /// Looks whether the file is still where it was. If it isn't, the next lines go to another. Returns its name then.
    pub(crate) fn let_go_if_moved(&mut self) -> Option<String> {
        let file = self.file.as_ref()?;
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let opened = file.file.metadata().map(identity).ok()?;
        if fs::symlink_metadata(&file.path).map(identity).is_ok_and(|found| found == opened) {
            return None;
        }
        let name = name(&file.path);
        self.file = None;
        // The lock is that of the folder, which may be another one.
        if let Ok(folder) = File::open(&self.path)
            && flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            self.lock = folder;
        }
        Some(name)
    }
}

impl DayFile {
    /// Takes away what isn't known to be whole. (Somebody may have taken more.)
    fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.file.metadata()?.len().min(self.len))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// A file that has no line so far.
const NEW: &str = ".new";

/// What the children of a killed recorder have is free by then.
const CHILDREN_WITHIN: Duration = Duration::from_millis(500);

/// As in `2026-11-29`.
const DAY_LEN: usize = 10;

/// Takes the lock of a folder. A recorder that was killed may have a child that is about to become a command, and has the lock until then.
fn take(lock: &File) -> Result<(), Errno> {
    let begin = Instant::now();
    loop {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if begin.elapsed() < CHILDREN_WITHIN => thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a record.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let is_record = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "jsonl") && path.is_file();
    paths.filter(|path| path.as_ref().map_or(true, is_record)).collect()
}

/// The number of the first line that is whole.
fn first_number(path: &Path) -> io::Result<Option<u64>> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Some(link) = line.strip_suffix(b"\n").and_then(Link::read) {
            return Ok(Some(link.n));
        }
        line.clear();
    }
    Ok(None)
}

fn read(path: &Path) -> io::Result<Told> {
    let mut told = Told { head: Head::NONE, positions: Positions::default(), len: 0, tail: Vec::new() };
    let mut lines = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let Some(whole) = line.strip_suffix(b"\n") else {
            told.tail = line;
            break;
        };
        // A line that was changed is left to who verifies. The chain goes on from the latest that is right.
        if let Some(link) = Link::read(whole).filter(|link| link.n > told.head.n) {
            told.head = link.head();
            told.positions.take_line(whole);
        }
        told.len += line.len() as u64;
        line.clear();
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("trip99-folder-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn line(head: Head, body: &str) -> (String, Head) {
        let (mut head, mut text) = (head, String::new());
        head.append(body, &mut text);
        (text, head)
    }

    fn begun(scratch: &Scratch) -> Folder {
        let mut folder = Folder::open(&scratch.0).unwrap();
        let (text, head) = line(folder.head, r#"{"kind":"file","pages":{}}"#);
        folder.begin("2026-11-29.jsonl", &text, head).unwrap();
        folder
    }

    #[test]
    fn a_file_goes_on_wherever_it_was_cut() {
        let scratch = Scratch::new("cut");
        let mut folder = begun(&scratch);
        let first = folder.head;
        let event = r#"{"kind":"event","page":{"id":"a","path":"/p"},"event":{"sequence":6,"wall_ns":9}}"#;
        let (text, head) = line(folder.head, event);
        folder.append(&text, head).unwrap();
        drop(folder);
        let path = scratch.0.join("2026-11-29.jsonl");
        let whole = fs::read(&path).unwrap();
        let begin = whole.len() - text.len();
        for cut in begin..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut folder = Folder::open(&scratch.0).unwrap();
            // The line is there as soon as only its end is missing.
            let is_there = cut + 1 >= whole.len();
            assert_eq!(folder.head, if is_there { head } else { first }, "{cut}");
            let next = folder.positions.0.get("a").map(|position| position.next_event);
            assert_eq!(next, is_there.then_some(7));
            let torn = folder.torn.take().map(|torn| torn.bytes);
            assert_eq!(torn, (!is_there && cut > begin).then(|| whole[begin..cut].to_vec()));
            let (text, head) = line(folder.head, r#"{"kind":"stop"}"#);
            folder.append(&text, head).unwrap();
            let mut expected = whole[..if is_there { whole.len() } else { begin }].to_vec();
            expected.extend(text.bytes());
            assert_eq!(fs::read(&path).unwrap(), expected, "{cut}");
        }
    }

    #[test]
    fn a_file_has_a_name_of_its_own() {
        let scratch = Scratch::new("name");
        let folder = begun(&scratch);
        assert_eq!(folder.free_name("2026-11-29"), "2026-11-29.2.jsonl");
        assert_eq!(folder.free_name("2026-11-30"), "2026-11-30.jsonl");
        assert_eq!(
            (folder.day().as_deref(), folder.file_name().as_deref()),
            (Some("2026-11-29"), Some("2026-11-29.jsonl"))
        );
    }

    #[test]
    fn a_folder_has_one_recorder() {
        let scratch = Scratch::new("two");
        let folder = begun(&scratch);
        let Err(Failure::Message(text)) = Folder::open(&scratch.0).map(drop) else { panic!("two recorders") };
        assert!(text.contains("another recorder"), "{text}");
        drop(folder);
        Folder::open(&scratch.0).unwrap();
    }

    #[test]
    fn the_last_file_is_that_of_the_latest_line_whatever_its_name() {
        let scratch = Scratch::new("last");
        let mut folder = begun(&scratch);
        let (text, head) = line(folder.head, r#"{"kind":"file","pages":{}}"#);
        folder.begin("2020-01-01.jsonl", &text, head).unwrap();
        fs::write(scratch.0.join("2099-01-01.jsonl"), "").unwrap();
        drop(folder);
        let folder = Folder::open(&scratch.0).unwrap();
        assert_eq!((folder.head, folder.day().as_deref()), (head, Some("2020-01-01")));
    }

    #[test]
    fn a_file_that_is_moved_away_is_let_go() {
        let scratch = Scratch::new("moved");
        let mut folder = begun(&scratch);
        assert_eq!(folder.let_go_if_moved(), None);
        fs::rename(scratch.0.join("2026-11-29.jsonl"), scratch.0.join("gone")).unwrap();
        assert_eq!(folder.let_go_if_moved().as_deref(), Some("2026-11-29.jsonl"));
        let (text, head) = line(folder.head, r#"{"kind":"file","pages":{}}"#);
        folder.begin(&folder.free_name("2026-11-29"), &text, head).unwrap();
        assert_eq!(folder.head.n, 2, "the chain goes on");
    }
}
