//! Who holds a halt, since when and why, for people.

use crate::show::{escape, wrap};
use crate::zone::Zone;
use std::fs;
use trip99::{HaltNote, Holder};

/// The names of those who hold a halt.
pub(crate) fn names(notes: &[HaltNote]) -> String {
    notes.iter().map(name).collect::<Vec<_>>().join(", ")
}

pub(crate) fn name(note: &HaltNote) -> String {
    note.holder.map_or("somebody whose name isn't known".to_owned(), |holder| holder.to_string())
}

/// A few lines, of at most so many columns.
pub(crate) fn lines(note: &HaltNote, zone: &Zone, columns: usize) -> Vec<String> {
    let since = if note.wall_ns == 0 { "at a time that isn't known".to_owned() } else { zone.ago(note.wall_ns) };
    let mut lines = vec![format!("{}, {since}", name(note))];
    lines.extend(wrap(&escape(note.reason_or_none()), columns));
    lines.extend(who(note).map(|who| wrap(&who, columns)).unwrap_or_default());
    lines
}

/// The user, the process and the host.
fn who(note: &HaltNote) -> Option<String> {
    let host = escape(&note.host);
    let is_here =
        host.is_empty() || fs::read_to_string("/proc/sys/kernel/hostname").is_ok_and(|own| own.trim() == host);
    // Numbers mean other users elsewhere.
    let user = |uid: u32| if is_here { show_user(uid) } else { format!("user {uid}") };
    let user = match (note.uid, note.login_uid) {
        (u32::MAX, _) => None,
        (uid, login) if login == uid || login == u32::MAX => Some(user(uid)),
        (uid, login) => Some(format!("{}, logged in as {}", user(uid), user(login))),
    };
    let process = (note.pid != 0).then(|| format!("process {}", note.pid));
    let parts: Vec<String> = user.into_iter().chain(process).collect();
    let on = if host.is_empty() { String::new() } else { format!(" on {host}") };
    (!parts.is_empty()).then(|| format!("{}{on}", parts.join(", ")))
}

/// A user's name if `/etc/passwd` has it, otherwise the number.
fn show_user(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| escape(name))
    });
    name.unwrap_or_else(|| format!("user {uid}"))
}

/// A fleet's halts are lifted by the fleet, and here only in an emergency.
pub(crate) fn is_fleets(holder: Option<Holder>) -> bool {
    matches!(holder, Some(Holder::FLEET | Holder::FLEET_LEASE))
}
