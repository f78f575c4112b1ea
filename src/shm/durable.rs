//! Halts that outlive memory: pages lie in memory, and are gone after a reboot, a power failure, or when somebody empties the tmpfs.
//!
//! Each halt is one small file in a folder that the page names: `PAGE.HOLDER.COUNT`, where the count is the number of the halt's entry in
//! the operators' log. A new owner reads the folder before its gate opens. No file is ever rewritten: two that do so at once would lose
//! one's halt.
//!
//! ```text
//!  halter                                        resumer
//!  1-3 halts in the page (see `halts`)           1-3 resumes in the page
//!  4   makes the file, and writes to it          4   unlinks the holder's files up to the count that it listed
//!  5   syncs the file                            5   syncs the folder
//!  6   syncs the folder: now the halt is durable
//! ```
//!
//! The page comes first: a halt shuts the gate at once, however slow the disk is. A halter that is killed before step 6 has halted the
//! page, and the owner's process makes the file that is missing. A resumer that is killed before step 4 leaves a file: so the next new
//! owner is halted once more, and never the other way round. The text in a file is for people. If it is torn, the name alone is a halt.

use super::error::SharedError;
use crate::halts::{Act, Held};
use crate::handles::HaltNote;
use crate::holder::Holder;
use crate::log::Author;
use crate::page::Page;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A halt that outlived memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) holder: Holder,
    pub(crate) count: u64,
    author: Author,
    wall_ns: u64,
    reason: String,
}

impl Kept {
    pub(crate) fn act(&self) -> Act<'_> {
        Act { holder: self.holder, author: self.author, wall_ns: self.wall_ns, reason: &self.reason }
    }
}

/// The first part of the names of a page's files. A dot in the page's name would make two pages' names look alike.
fn prefix(page: &Path) -> String {
    let name = page.file_name().unwrap_or_default().to_string_lossy();
    format!("{}.", name.replace('%', "%25").replace('.', "%2E"))
}

fn file_name(page: &Path, holder: Holder, count: u64) -> String {
    format!("{}{holder}.{count}", prefix(page))
}

/// The holder and the count that a file's name tells, if it is one of this page's files.
fn parse(name: &str, prefix: &str) -> Option<(Holder, u64)> {
    let (holder, count) = name.strip_prefix(prefix)?.rsplit_once('.')?;
    Some((Holder::parse(holder)?, count.parse().ok().filter(|&count| count <= Held::MAX_COUNT)?))
}

/// The files of a page: holder, count and path of each.
fn files(folder: &Path, page: &Path) -> io::Result<Vec<(Holder, u64, PathBuf)>> {
    let prefix = prefix(page);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some((holder, count)) = entry.file_name().to_str().and_then(|name| parse(name, &prefix)) {
            found.push((holder, count, entry.path()));
        }
    }
    found.sort_by_key(|&(_, count, _)| count);
    Ok(found)
}

/// The halts of a page, in their order. A folder that isn't there has none.
pub(crate) fn read(folder: &Path, page: &Path) -> Result<Vec<Kept>, SharedError> {
    let found = match files(folder, page) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        found => found.map_err(SharedError::io(folder, "read"))?,
    };
    Ok(found.into_iter().map(|(holder, count, path)| kept(holder, count, &path)).collect())
}

/// What can't be read is left out: the file's name alone is a halt.
fn kept(holder: Holder, count: u64, path: &Path) -> Kept {
    let text = fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
    let wall_ns = field("wall_ns").and_then(|text| text.parse().ok()).unwrap_or(0);
    let pid = field("pid").and_then(|text| text.parse().ok()).unwrap_or(0);
    let author = Author::new(number("uid"), number("login_uid"), pid, field("host").unwrap_or_default());
    Kept { holder, count, author, wall_ns, reason: field("reason").unwrap_or_default().to_owned() }
}

/// Steps 4 to 6 of a halter. A file that is there stays as it is.
pub(crate) fn write(folder: &Path, page: &Path, holder: Holder, note: &HaltNote) -> io::Result<PathBuf> {
    let path = folder.join(file_name(page, holder, note.entry));
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
        Ok(mut file) => {
            // A umask may have left nothing to open it by.
            file.set_permissions(Permissions::from_mode(0o600))?;
            let HaltNote { uid, login_uid, pid, host, wall_ns, reason, .. } = note;
            let text = format!(
                "holder: {holder}\nwall_ns: {wall_ns}\nuid: {uid}\nlogin_uid: {login_uid}\npid: {pid}\nhost: {host}\nreason: {reason}\n"
            );
            file.write_all(text.as_bytes())?;
        }
    }
    // Who made the file may have been killed before it synced it.
    File::open(&path)?.sync_all()?;
    sync(folder)?;
    Ok(path)
}

/// Steps 4 and 5 of a resumer.
pub(crate) fn remove(folder: &Path, page: &Path, holder: Holder, up_to: u64) -> io::Result<()> {
    for (found, count, path) in files(folder, page)? {
        if found == holder && count <= up_to {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    sync(folder)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the files that are missing, and unlinks those of halts that were lifted. It is for the owner's process, on a thread that may wait
/// for a disk. Returns the word of halts as of which the folder is right.
pub(crate) fn mirror(folder: &Path, path: &Path, page: &Page) -> io::Result<Held> {
    let halts = &page.board().halts;
    let held = halts.held();
    let found = files(folder, path)?;
    for slot in held.slots() {
        let note = page.note(slot);
        let Some(holder) = note.holder else { continue };
        if !found.iter().any(|(found, count, _)| *found == holder && *count >= note.entry) {
            let made = write(folder, path, holder, &note)?;
            // The resume may have come meanwhile, and found no file.
            if !halts.held().has(slot) {
                let _ = fs::remove_file(made);
            }
        }
        // The holder's earlier halts are told by the latest one's file.
        for (_, _, earlier) in found.iter().filter(|(found, count, _)| *found == holder && *count < note.entry) {
            let _ = fs::remove_file(earlier);
        }
    }
    // These come last: a holder that shares a slot has a file in the others' name by now.
    for (holder, count, file) in &found {
        // A halt up to this count whose holder holds none was lifted, as the counts are the order of halts and resumes.
        let is_held = halts.find(*holder).is_some_and(|slot| held.has(slot));
        if !is_held && *count <= held.count() {
            let _ = fs::remove_file(file);
        }
    }
    sync(folder)?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::State;
    use crate::handles::Signature;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("test-trip99-durable-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> =
                fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn halt(page: &Page, name: &str, reason: &str) -> u8 {
        let holder = Holder::parse(name).unwrap();
        page.halt(&Signature::engine(Author::new(1, 2, 3, "desk-7")).act(holder, reason, 9));
        page.slot(holder).unwrap()
    }

    fn resume(page: &Page, name: &str) {
        let holder = Holder::parse(name).unwrap();
        page.resume(&Signature::engine(Author::new(1, 2, 3, "desk-7")).act(holder, "", 9));
    }

    const PATH: &str = "/dev/shm/x/venue-a";

    #[test]
    fn the_folder_follows_the_page() {
        let (scratch, page, path) = (Scratch::new("mirror"), Page::new(State::Closed, false, 0), Path::new(PATH));
        let mirror = || mirror(&scratch.0, path, &page).unwrap();
        mirror();
        assert_eq!(scratch.names(), [""; 0]);
        halt(&page, "ann@desk", "prices look wrong");
        halt(&page, "engine", "");
        assert_eq!(mirror().count(), 2);
        assert_eq!(scratch.names(), ["venue-a.ann@desk.1", "venue-a.engine.2"]);
        let kept = read(&scratch.0, path).unwrap();
        assert_eq!((kept[0].count, kept[0].reason.as_str(), kept[0].wall_ns), (1, "prices look wrong", 9));
        assert_eq!((kept[0].author, kept[1].holder), (Author::new(1, 2, 3, "desk-7"), Holder::ENGINE));
        resume(&page, "engine");
        halt(&page, "engine", "again");
        resume(&page, "ann@desk");
        mirror();
        assert_eq!(scratch.names(), ["venue-a.engine.4"]);
    }

    #[test]
    fn a_halt_that_is_not_in_the_word_yet_is_left_alone() {
        let (scratch, page, path) = (Scratch::new("young"), Page::new(State::Closed, false, 0), Path::new(PATH));
        halt(&page, "engine", "");
        fs::write(scratch.0.join("venue-a.bob@desk.2"), "").unwrap();
        mirror(&scratch.0, path, &page).unwrap();
        assert_eq!(scratch.names(), ["venue-a.bob@desk.2", "venue-a.engine.1"]);
    }

    #[test]
    fn a_resumer_unlinks_its_own_files_up_to_what_it_listed() {
        let (scratch, path) = (Scratch::new("remove"), Path::new(PATH));
        for name in ["venue-a.x.1", "venue-a.x.5", "venue-a.x.6", "venue-a.y.2", "venue-b.x.1"] {
            fs::write(scratch.0.join(name), "").unwrap();
        }
        remove(&scratch.0, path, Holder::new("x").unwrap(), 5).unwrap();
        assert_eq!(scratch.names(), ["venue-a.x.6", "venue-a.y.2", "venue-b.x.1"]);
    }

    #[test]
    fn no_page_reads_anothers_files_nor_what_is_none() {
        let (scratch, path) = (Scratch::new("names"), Path::new("/dev/shm/a"));
        for name in ["a.b.x.1", "a.x", "a.x.", "a.x.-1", "a.x.1.tmp", "a..1", "ab.x.1", "a.x y.1"] {
            fs::write(scratch.0.join(name), "").unwrap();
        }
        let holders = |page: &str| -> Vec<String> {
            let kept = read(&scratch.0, Path::new(page)).unwrap();
            kept.iter().map(|kept| format!("{} {}", kept.holder, kept.count)).collect()
        };
        assert_eq!(holders("/dev/shm/a"), ["b.x 1"]);
        let dotted = Path::new("/dev/shm/a.b");
        let note = HaltNote { entry: 3, ..Page::new(State::Closed, false, 0).note(0) };
        write(&scratch.0, dotted, Holder::START, &note).unwrap();
        assert!(scratch.0.join("a%2Eb.start.3").exists());
        assert_eq!(
            (holders("/dev/shm/a.b"), holders("/dev/shm/a")),
            (vec!["start 3".to_owned()], vec!["b.x 1".to_owned()])
        );
        assert_eq!(read(&path.join("nowhere"), path).unwrap(), []);
    }

    #[test]
    fn a_torn_file_is_a_halt() {
        let (scratch, path) = (Scratch::new("torn"), Path::new(PATH));
        for (name, text) in
            [("venue-a.x.7", &b""[..]), ("venue-a.y.8", b"wall_ns: 12x\nreason: \xff"), ("venue-a.z.9", b"pid")]
        {
            fs::write(scratch.0.join(name), text).unwrap();
        }
        let counts: Vec<u64> = read(&scratch.0, path).unwrap().iter().map(|kept| kept.count).collect();
        assert_eq!(counts, [7, 8, 9]);
    }
}
