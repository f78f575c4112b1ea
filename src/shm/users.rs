//! Names and numbers of users and groups, as `/etc/passwd` and `/etc/group` have them. (No other source is asked, as that would
//! load modules into the engine's process, and may wait for a network.)

use rustix::process::{getegid, geteuid, getgroups};
use std::fs;

/// The effective user's name, or else the user's number: the part of a path that stands for this user.
pub(super) fn own_name() -> String {
    name_or_number(geteuid().as_raw())
}

/// A user's name, or else the user's number.
pub(super) fn name_or_number(uid: u32) -> String {
    name(uid).unwrap_or_else(|| uid.to_string())
}

/// What people call the user of this number.
pub(super) fn called(uid: u32) -> String {
    name(uid).unwrap_or_else(|| format!("user {uid}"))
}

/// The number of the group of this name. A text of digits that is no group's name is a number already.
pub(super) fn group_number(name_or_number: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    number(&groups, name_or_number).or_else(|| name_or_number.parse().ok())
}

/// True if this process may give its files to the group.
pub(super) fn is_in_group(gid: u32) -> bool {
    let has = |groups: Vec<_>| groups.iter().any(|group: &rustix::process::Gid| group.as_raw() == gid);
    geteuid().is_root() || getegid().as_raw() == gid || getgroups().is_ok_and(has)
}

fn name(uid: u32) -> Option<String> {
    fs::read_to_string("/etc/passwd").ok().and_then(|passwd| user_name(&passwd, uid).map(str::to_owned))
}

/// The name of the user of this number, if the user has a name that can be a file name.
fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse() == Ok(uid);
        (found && !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])).then_some(name)
    })
}

/// The number of the group of this name.
fn number(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = !name.is_empty() && fields.next()? == name;
        let number = fields.nth(1)?.parse().ok()?;
        found.then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n# a comment\nbad/name:x:7:7::/:/bin/sh\n..:x:8:8::/:/bin/sh\n\
                      mm:x:1000:1000::/:/bin/sh\n";
        assert_eq!(user_name(passwd, 0), Some("root"));
        assert_eq!(user_name(passwd, 1000), Some("mm"));
        assert_eq!((user_name(passwd, 7), user_name(passwd, 8)), (None, None), "no file names");
        assert_eq!((user_name(passwd, 1001), user_name("", 0)), (None, None));
    }

    #[test]
    fn groups_are_found_by_name() {
        let groups = "root:x:0:\n# a comment\ndesk:x:44:mm,ann\nbad:x:many:\n77:x:78:\n";
        assert_eq!(
            (number(groups, "root"), number(groups, "desk"), number(groups, "77")),
            (Some(0), Some(44), Some(78))
        );
        assert_eq!((number(groups, "mm"), number(groups, "bad"), number(groups, "")), (None, None, None));
        assert_eq!(group_number("4294967295"), Some(u32::MAX));
        assert_eq!((group_number("4294967296"), group_number("-1"), group_number("")), (None, None, None));
    }
}
