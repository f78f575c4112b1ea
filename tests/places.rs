//! Where pages lie: which folder is whose, what variables, links and umasks change about it, and how a name finds its page.
//! What takes two users is in `another_user.rs`.
#![cfg(all(feature = "shm", target_os = "linux"))]

mod shared;

use shared::{config, role, tell};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use trip99::shared::{Halter, Options, SharedError};
use trip99::{Breaker, Gate, Holder, Observer, Start};

/// A folder in memory, which is removed in the end. It is no place of anybody's.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/test-trip99-places-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        set_mode(&path, 0o700);
        Self(path)
    }

    fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// What a process tells that plays this role, with these variables and none of ours.
    fn run(&self, role: &str, page: &Path, variables: &[(&str, &str)]) -> Vec<String> {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
            .env_remove("TRIP99_DIR")
            .env("TRIP99_STATE_DIR", self.join("state"))
            .envs([("TRIP99_ROLE", role.as_ref()), ("TRIP99_PAGE", page.as_os_str())])
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{role}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.split_once('@')).map(|(_, said)| said.to_owned()).collect()
    }

    /// The one line that such a process tells, with SCRATCH in place of this folder.
    fn told(&self, role: &str, directory: &str) -> String {
        let [line] = &self.run(role, Path::new("page"), &[("TRIP99_DIR", directory)])[..] else { panic!("{role}") };
        line.replace(self.0.to_str().unwrap(), "SCRATCH")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn create(path: &Path) -> Result<Breaker, SharedError> {
    // A folder of its own for each place: pages of one name have one name there, too.
    let of_path = path.to_str().unwrap().replace('/', "-");
    let folder = std::env::temp_dir().join(format!("test-trip99-places-{}{of_path}", std::process::id()));
    Breaker::create_shared_with(path, config(), Start::Closed, &Options::default().state_dir(folder))
}

fn shown<T: AsRef<Path>>(result: Result<T, SharedError>) -> String {
    result.map_or_else(|error| error.to_string(), |path| path.as_ref().display().to_string())
}

/// This is no test. In a process of its own it plays the role that it is given.
#[test]
#[ignore = "a role for processes that other tests start"]
fn child() {
    let Some((role, page)) = role() else { return };
    let name = page.file_name().unwrap().to_str().unwrap();
    match role.split_once(' ').unwrap_or((&role, "")) {
        ("dir", _) => tell(&shown(trip99::shared::dir())),
        ("places", _) => trip99::shared::places().iter().for_each(|place| tell(&place.display().to_string())),
        ("find", _) => tell(&shown(trip99::shared::find(name))),
        ("umask", mask) => {
            // SAFETY: this process has no other thread that makes files.
            unsafe { libc::umask(u32::from_str_radix(mask, 8).unwrap()) };
            tell_modes(&Options::default());
        }
        ("umask-group", mask) => {
            // SAFETY: as above.
            unsafe { libc::umask(u32::from_str_radix(mask, 8).unwrap()) };
            tell_modes(&Options::default().group(rustix::process::getegid().as_raw().to_string()));
        }
        (other, _) => panic!("no role: {other}"),
    }
}

/// Makes a page, halts it for good, and tells the modes of all that was made.
fn tell_modes(options: &Options) {
    let page = trip99::shared::path("page").unwrap();
    let _breaker = Breaker::create_shared_with(&page, config(), Start::Closed, options).unwrap();
    let halter = Halter::open(&page).unwrap();
    assert!(halter.warnings().is_empty(), "{:?}", halter.warnings());
    halter.halt(Holder::DRILL, "a drill");
    let kept = halter.make_durable(Holder::DRILL).unwrap();
    let lock = page.with_file_name(".page.lock");
    for path in [page.parent().unwrap(), &page, &lock, kept.parent().unwrap(), &kept] {
        tell(&format!("{:04o}", mode(path)));
    }
}

#[test]
fn a_variable_names_the_folder() {
    let scratch = Scratch::new("variable");
    let named = scratch.join("named");
    let path = named.to_str().unwrap().to_owned();
    for directory in [path.clone(), format!("{path}/"), path] {
        assert_eq!(scratch.told("dir", &directory), "SCRATCH/named");
        assert_eq!(mode(&named), 0o700);
    }
    for relative in ["", "named", "./named"] {
        let expected = format!("TRIP99_DIR is {relative:?}; legal: an absolute path");
        assert_eq!(scratch.told("dir", relative), expected);
    }
    let below = scratch.join("none/named");
    let expected = "there is no folder SCRATCH/none for SCRATCH/none/named; make it, or set TRIP99_DIR to another";
    assert_eq!(scratch.told("dir", below.to_str().unwrap()), expected);
    assert!(!scratch.join("none").exists());
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let scratch = Scratch::new("writable");
    let named = scratch.join("named");
    fs::create_dir(&named).unwrap();
    for (wanted, expected) in [
        (0o700, "SCRATCH/named"),
        (0o755, "SCRATCH/named"),
        (0o2770, "SCRATCH/named"),
        (0o720, "SCRATCH/named is writable for others"),
        (0o702, "SCRATCH/named is writable for others"),
        (0o770, "SCRATCH/named is writable for others"),
        (0o2772, "SCRATCH/named is writable for others"),
        (0o1777, "SCRATCH/named is writable for others"),
    ] {
        set_mode(&named, wanted);
        assert_eq!(scratch.told("dir", named.to_str().unwrap()), expected, "{wanted:o}");
        assert_eq!(mode(&named), wanted, "it is left alone");
    }
}

/// Only the last part of a path is looked at for links.
#[test]
fn a_folder_may_lie_behind_a_link_and_be_none() {
    let scratch = Scratch::new("folder-links");
    fs::create_dir(scratch.join("real")).unwrap();
    set_mode(&scratch.join("real"), 0o700);
    symlink("real", scratch.join("link")).unwrap();
    fs::write(scratch.join("file"), "").unwrap();
    for wrong in ["link", "link/", "file"] {
        let expected = format!("SCRATCH/{} is not a directory", wrong.trim_end_matches('/'));
        assert_eq!(scratch.told("dir", scratch.join(wrong).to_str().unwrap()), expected);
    }
    assert_eq!(scratch.told("dir", scratch.join("link/below").to_str().unwrap()), "SCRATCH/link/below");
    assert_eq!(mode(&scratch.join("real/below")), 0o700);
}

/// The place of this user without a variable.
fn default_place(scratch: &Scratch) -> PathBuf {
    scratch.run("dir", Path::new("page"), &[]).pop().unwrap().into()
}

#[test]
fn without_the_variable_it_is_the_users_folder_in_run_or_in_shm() {
    let scratch = Scratch::new("default");
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap().trim().to_owned();
    let run = Path::new("/run/trip99").join(&user);
    let expected = if run.exists() { run } else { format!("/dev/shm/trip99-{user}").into() };
    assert_eq!(default_place(&scratch), expected);
    assert!(scratch.run("places", Path::new("page"), &[]).contains(&expected.display().to_string()));
}

#[test]
fn places_begin_with_ones_own_and_none_is_made() {
    let scratch = Scratch::new("places");
    let default = default_place(&scratch).display().to_string();
    let named = scratch.join("named");
    let variables = [("TRIP99_DIR", named.to_str().unwrap())];
    let places = scratch.run("places", Path::new("page"), &variables);
    assert!(places.contains(&default) && !places.contains(&variables[0].1.to_owned()), "{places:?}");
    assert!(!named.exists());
    fs::create_dir(&named).unwrap();
    let places = scratch.run("places", Path::new("page"), &variables);
    assert!(places[0] == variables[0].1 && places[1..].contains(&default), "{places:?}");
}

#[test]
fn a_name_finds_its_page_unless_several_have_it() {
    let scratch = Scratch::new("find");
    let name = format!("test-{}-places-find", std::process::id());
    let default = default_place(&scratch);
    let named = scratch.join("named");
    fs::create_dir(&named).unwrap();
    set_mode(&named, 0o700);
    let [first, second] = [&named, &default].map(|place| place.join(&name));
    let find = || {
        let variables = [("TRIP99_DIR", named.to_str().unwrap())];
        scratch.run("find", Path::new(&name), &variables).pop().unwrap()
    };
    let none = find();
    assert!(none.starts_with(&format!("there is no page {name:?} in {}, ", named.display())), "{none}");
    assert!(none.contains(default.to_str().unwrap()), "{none}");

    drop(create(&second).unwrap());
    let found = find();
    drop(create(&first).unwrap());
    let both = find();
    for path in [second.clone(), second.with_file_name(format!(".{name}.lock"))] {
        fs::remove_file(path).unwrap();
    }
    assert_eq!(found, second.display().to_string());
    let (first, second) = (first.display().to_string(), second.display());
    assert_eq!(both, format!("{name:?} is the name of several pages: {first}, {second}; legal: the path of one"));
    assert_eq!(find(), first);
}

/// True if the kernel says that the folder's file system is one of those that lie in memory.
fn is_memory(folder: &Path) -> bool {
    let kind = Command::new("stat").args(["-f", "-c", "%t"]).arg(folder).output().unwrap().stdout;
    ["1021994", "858458f6", "958458f6"].contains(&String::from_utf8(kind).unwrap().trim())
}

#[test]
fn a_page_lies_in_memory_or_is_refused() {
    let scratch = Scratch::new("memory");
    let refused = |page: &Path| {
        let error = create(page).unwrap_err();
        assert!(matches!(&error, SharedError::NotInMemory { path } if path == page), "{error}");
        let expected = "is not in memory, and writing it to a disk would stop the engine's stores; legal: a path on a tmpfs, as in \
                        /dev/shm or /run";
        assert_eq!(error.to_string(), format!("{} {expected}", page.display()));
    };
    refused(Path::new("/proc/page"));
    refused(Path::new("/sys/page"));
    drop(create(&scratch.join("page")).unwrap());

    let disk = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("places-{}", std::process::id()));
    let _ = fs::remove_dir_all(&disk);
    fs::create_dir_all(&disk).unwrap();
    set_mode(&disk, 0o700);
    if is_memory(&disk) {
        fs::remove_dir_all(disk).unwrap();
        return; // the build lies on a tmpfs, and /proc has to do
    }
    refused(&disk.join("page"));
    assert_eq!(fs::read_dir(&disk).unwrap().count(), 0, "nothing is made there");
    // Nor is a page taken over that somebody put there.
    fs::copy(scratch.join("page"), disk.join("page")).unwrap();
    refused(&disk.join("page"));
    assert_eq!(fs::read(disk.join("page")).unwrap(), fs::read(scratch.join("page")).unwrap());
    // It counts where a path leads.
    symlink(&disk, scratch.join("to-disk")).unwrap();
    refused(&scratch.join("to-disk/page"));
    symlink(&scratch.0, disk.join("to-memory")).unwrap();
    drop(create(&disk.join("to-memory/page")).unwrap());
    fs::remove_dir_all(disk).unwrap();
}

/// Owner, watcher and halter look at the last part of a path for links, and at no other part.
#[test]
fn a_page_may_lie_behind_a_link_and_be_none() {
    let scratch = Scratch::new("page-links");
    fs::create_dir(scratch.join("real")).unwrap();
    set_mode(&scratch.join("real"), 0o700);
    symlink("real", scratch.join("link")).unwrap();
    let page = scratch.join("link/page");
    let breaker = create(&page).unwrap();
    assert!(Observer::open(&page).unwrap().state().is_some());
    assert!(Gate::open(&page).unwrap().allow());
    let halter = Halter::open(&page).unwrap();
    assert!(halter.warnings().is_empty() && !halter.is_halted());
    drop(breaker);

    let last = scratch.join("real/last");
    symlink("page", &last).unwrap();
    let before = fs::read(&page).unwrap();
    let errors = [create(&last).err(), Observer::open(&last).err(), Gate::open(&last).err(), Halter::open(&last).err()];
    for error in errors {
        assert_eq!(error.unwrap().to_string(), format!("{} is a symbolic link", last.display()));
    }
    assert_eq!(fs::read(&page).unwrap(), before);
    assert!(fs::symlink_metadata(&last).unwrap().is_symlink());
}

const UMASKS: [&str; 5] = ["0", "022", "077", "0700", "0777"];

/// As root this can't tell whether a file was opened that its mode forbids to open. `another_user.rs` does this as a user, too.
#[test]
fn umasks_do_not_matter() {
    for umask in UMASKS {
        let scratch = Scratch::new("umask");
        let named = scratch.join("named");
        let variables = [("TRIP99_DIR", named.to_str().unwrap())];
        let modes = scratch.run(&format!("umask {umask}"), Path::new("page"), &variables);
        assert_eq!(modes, ["0700", "0600", "0600", "0700", "0600"], "{umask}");
    }
    for umask in UMASKS {
        let scratch = Scratch::new("umask-group");
        let named = scratch.join("named");
        let variables = [("TRIP99_DIR", named.to_str().unwrap())];
        let modes = scratch.run(&format!("umask-group {umask}"), Path::new("page"), &variables);
        // What outlives memory is the owner's alone.
        assert_eq!(modes, ["2770", "0660", "0660", "0700", "0600"], "{umask}");
    }
}

#[test]
fn a_group_that_cannot_share_is_named() {
    let scratch = Scratch::new("group");
    let page = scratch.join("page");
    let refused = |group: &str| {
        let options = Options::default().group(group);
        let error = Breaker::create_shared_with(&page, config(), Start::Closed, &options).unwrap_err();
        assert!(matches!(&error, SharedError::Group { .. }), "{error}");
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0, "nothing is made");
        assert_eq!(mode(&scratch.0), 0o700, "the folder is left alone");
        error.to_string()
    };
    for unknown in ["", "no such group", "-1", "4294967296"] {
        let expected = format!(
            "the group {unknown:?} is not in /etc/group; legal: the name of a group there, or a group's number"
        );
        assert_eq!(refused(unknown), expected);
    }
    // A folder that isn't the user's place is not ours to change.
    let own = rustix::process::getegid().as_raw().to_string();
    let folder_group = fs::metadata(&scratch.0).unwrap().gid();
    let expected = format!(
        "the group {own:?} can't have the folder {}, which has the mode 0700 and the group {folder_group}; legal: mode 2770 and \
         this group (chgrp, then chmod 2770), of yours or root's",
        scratch.0.display()
    );
    assert_eq!(refused(&own), expected);
    // It is legal once its owner has shared it.
    set_mode(&scratch.0, 0o2770);
    let options = Options::default().group(own);
    drop(Breaker::create_shared_with(&page, config(), Start::Closed, &options).unwrap());
    assert_eq!(mode(&page), 0o660);
}

/// The group is what an engine says at its latest start, whenever the page was made.
#[test]
fn a_page_that_was_there_is_shared_from_the_next_start_on() {
    let scratch = Scratch::new("later");
    let page = scratch.join("page");
    drop(create(&page).unwrap());
    assert_eq!(mode(&page), 0o600);
    set_mode(&scratch.0, 0o2770);
    let group = fs::metadata(&scratch.0).unwrap().gid();
    let options = Options::default().group(group.to_string());
    drop(Breaker::create_shared_with(&page, config(), Start::Closed, &options).unwrap());
    assert_eq!([mode(&page), mode(&scratch.join(".page.lock"))], [0o660; 2]);
    assert_eq!(fs::metadata(&page).unwrap().gid(), group);
}
