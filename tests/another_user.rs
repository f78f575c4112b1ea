//! A page that belongs to another user. Only root can give a file away, so the tests have a harness that can skip them.

mod harness;
#[cfg(all(feature = "shm", target_os = "linux"))]
mod shared;

use std::process::ExitCode;

#[cfg(all(feature = "shm", target_os = "linux"))]
fn another_users_page_is_refused_but_root_may_watch() {
    use shared::{Place, config};
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use trip99::{Breaker, Observer};

    let place = Place::new("user");
    drop(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap());
    if fs::metadata(&place.0).unwrap().uid() != 0 {
        return harness::skip("to give a file away takes root");
    }
    std::os::unix::fs::chown(&place.0, Some(4711), None).unwrap();
    let error = Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is another user's", place.0.display()));
    assert!(Observer::open(&place.0).unwrap().state().is_some());
}

#[cfg(not(all(feature = "shm", target_os = "linux")))]
fn another_users_page_is_refused_but_root_may_watch() {
    harness::skip("pages in files are for Linux");
}

fn main() -> ExitCode {
    harness::run(&[(
        "another_users_page_is_refused_but_root_may_watch",
        another_users_page_is_refused_but_root_may_watch,
    )])
}
