//! What an owner may choose about the page in a file, beside its settings.

use super::error::SharedError;
use super::permissions::{Permissions, share_folder};
use super::place;
use super::trust::{self, SHARED_FOLDER};
use super::users;
use rustix::process::geteuid;
use std::path::{Path, PathBuf};

/// Options of a page in a file.
///
/// ```
/// use trip99::shared::Options;
///
/// let options = Options::default().group("desk");
/// assert_eq!(options.group.as_deref(), Some("desk"));
/// assert!(options.warden);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The group that shares the page: see [`group`](Self::group). `None` by default: the page is for this user alone.
    pub group: Option<String>,
    /// The folder where halts outlive memory: see [`state_dir`](Self::state_dir).
    pub state_dir: Option<PathBuf>,
    /// Whether the process watches over the page by a thread of its own: see [`warden`](Self::warden). True by default.
    pub warden: bool,
    /// The time of construction, for an owner with a time of its own: see [`now_ns`](Self::now_ns). `None` by default: the process's.
    pub now_ns: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { group: None, state_dir: None, warden: true, now_ns: None }
    }
}

impl Options {
    /// Shares the page with a group, by its name in `/etc/group` or by its number. The files get the mode 0660 and the folder gets
    /// 2770, whatever the umask. The process must be in the group.
    ///
    /// The members of the group can watch the page, halt and resume. They can break the page, too, and put another in its place.
    /// That is trust, not permission: share a page only with whom you trust with the engine.
    ///
    /// The folder of [`shared::dir`](crate::shared::dir) is given to the group if it is this user's and has the mode 0700. Any
    /// other folder is left alone: it must have the mode 2770 and the group already, and be this user's or root's. A user's pages
    /// in one folder are shared with one group.
    #[must_use]
    pub fn group(mut self, name_or_gid: impl Into<String>) -> Self {
        self.group = Some(name_or_gid.into());
        self
    }

    /// The folder where halts outlive memory, in place of the one that [`shared::state_dir`](crate::shared::state_dir) would
    /// choose. The path must be absolute.
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// The time of construction on the breaker's clock, for an owner with a time of its own.
    #[must_use]
    pub fn now_ns(mut self, now_ns: u64) -> Self {
        self.now_ns = Some(now_ns);
        self
    }

    /// Whether the process watches over the page by a thread of its own: see [`warden`](crate::warden). Without it nobody finds that the
    /// owner is silent but lanes that send orders, nobody finds that the page was removed under a running engine, and the engine's own
    /// halts don't outlive memory.
    #[must_use]
    pub fn warden(mut self, warden: bool) -> Self {
        self.warden = warden;
        self
    }

    /// Checks the folder of a page that is to be owned, before anything is made there, and gives the folder to the group. Returns
    /// what the page and its lock get.
    pub(crate) fn apply(&self, page: &Path) -> Result<Permissions, SharedError> {
        if page.file_name().is_none() {
            return Err(SharedError::not_ours(page, "not a regular file"));
        }
        let folder = trust::folder_of(page);
        let stat = trust::look_at_folder(page)?;
        let file_system = rustix::fs::statfs(folder).map_err(SharedError::io(folder, "look at"))?;
        trust::check_memory(page, &file_system)?;
        trust::check_folder(page, &stat, geteuid().as_raw())?;
        let Some(name) = &self.group else { return Ok(Permissions::default()) };

        let refused = |why: String| Err(SharedError::Group { group: name.clone(), why });
        let Some(group) = users::group_number(name) else {
            return refused("is not in /etc/group; legal: the name of a group there, or a group's number".to_owned());
        };
        if !users::is_in_group(group) {
            return refused("has not this process in it; legal: a group of the process".to_owned());
        }
        let (own, mode) = (geteuid().as_raw(), trust::permissions(&stat));
        let is_shared = mode == SHARED_FOLDER && stat.st_gid == group && [0, own].contains(&stat.st_uid);
        if !is_shared {
            // No other folder is ours to change: it may be /run, or a user's home.
            if stat.st_uid != own || mode != 0o700 || !place::is_own(&stat) {
                return refused(format!(
                    "can't have the folder {0}, which has the mode {mode:04o} and the group {1}; legal: mode 2770 and this group \
                     (chgrp, then chmod 2770), of yours or root's",
                    folder.display(),
                    stat.st_gid
                ));
            }
            share_folder(folder, group)?;
        }
        Ok(Permissions { group: Some(group) })
    }
}
