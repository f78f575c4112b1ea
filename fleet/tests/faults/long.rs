pub(crate) fn the_leader_is_killed() {}
pub(crate) fn the_leader_hangs() {}
pub(crate) fn all_servers_start_again() {}
pub(crate) fn governors_die() {}
pub(crate) fn credentials_are_revoked() {}
pub(crate) fn a_page_is_removed() {}
pub(crate) fn everything_is_slow() {}
pub(crate) fn network_namespaces() {}
