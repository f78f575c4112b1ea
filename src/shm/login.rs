//! Who acts: the user, the user who logged in, the process and the host.

use super::lock::own_pid;
use super::users;
use crate::holder::Holder;
use crate::log::Author;
use rustix::process::getuid;
use std::{env, fs};

/// What the kernel says of a process that nobody logged in for.
const NOBODY: u32 = u32::MAX;

impl Author {
    /// Who this process acts for. It reads a few files, so it isn't for hot threads.
    pub(crate) fn this_process() -> Self {
        Self::new(getuid().as_raw(), login_uid(), own_pid(), &host())
    }
}

/// The user who logged in: by the kernel's audit, or else by sudo, or else the user.
fn login_uid() -> u32 {
    let audited = fs::read_to_string("/proc/self/loginuid").ok().and_then(|uid| uid.trim().parse().ok());
    let by_sudo = || env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    audited.filter(|&uid| uid != NOBODY).or_else(by_sudo).unwrap_or_else(|| getuid().as_raw())
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map(|host| host.trim().to_owned()).unwrap_or_default()
}

/// `USER@HOST`: the holder that a person is, unless he names another.
///
/// The user is the one who logged in: by the kernel's audit, or else by sudo, or else the process's.
pub fn login() -> Holder {
    let (user, host) = (users::name_or_number(login_uid()), host());
    if host.is_empty() { Holder::cut(&user) } else { Holder::cut(&format!("{user}@{host}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_user_at_host() {
        let name = login().to_string();
        assert!(name.contains('@') || host().is_empty(), "{name}");
        assert_eq!(Author::this_process().uid, getuid().as_raw());
    }
}
