//! The warden: one background thread that watches all pages of this process, and one that keeps their halts in files.
//!
//! - The warden looks whether owners are alive (see `watch`): those of breakers with gates or lanes, and those of pages that this process
//!   has opened by a path.
//! - The warden looks whether a page's path still leads to the page, and whether the page's header is intact. Otherwise it halts the page
//!   ([`Holder::DAMAGE`]): nobody could halt it by its path any more.
//! - The other thread makes the files by which halts outlive memory, where they are missing. A disk that hangs must not stop the watch.
//!
//! They look each 250 ms, or each quarter of the least `owner_timeout`, whichever is sooner. They touch nothing but atomics of pages, and
//! keep no page's breaker alive. They run with ordinary priority, and not on the core to which their maker is pinned, if the process may
//! use another. (A process may have two copies of the library: each looks after its own.)

use crate::clock::wall_ns;
use crate::config::to_ns;
use crate::halts;
use crate::handles::Signature;
use crate::holder::Holder;
use crate::page::{Page, Watched};
use crate::sync::Ordering;
use crate::watch::Watch;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Looks are no further apart than this.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Looks are no closer than this.
const LEAST_SPACING: Duration = Duration::from_millis(2);

/// What is wrong with the file that a page is in.
pub(crate) enum Finding {
    /// The file no longer has all of the page: to touch the page may kill the process.
    CutOff,
    /// Nobody could halt the page any more.
    Damage(&'static str),
}

/// Looks at the file that a page is in.
pub(crate) type Check = Box<dyn FnMut(&Page) -> Option<Finding> + Send>;
/// Keeps a page's halts in files.
pub(crate) type Keep = Box<dyn FnMut(&Page) + Send>;

/// Looks at a page, and tells how soon to look again.
type Look = Box<dyn FnMut(&Page, u64) -> Duration + Send>;

struct Entry {
    page: Page,
    handles: Weak<Watched>,
    look: Look,
}

/// What one thread looks at, in rounds.
struct Rounds {
    list: Mutex<List>,
    changed: Condvar,
    thread: &'static str,
    /// Whether a page is looked at once more when its breaker has ended.
    looks_once_more: bool,
}

struct List {
    entries: Vec<Entry>,
    /// The process whose thread looks. In the child of a fork there is no such thread.
    runs_in: Option<u32>,
}

static WARDEN: Rounds = Rounds::new("trip99-warden", false);
static FILES: Rounds = Rounds::new("trip99-files", true);
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// Turns the warden of this process off, for pages that come after this. Then nobody finds that an owner is silent but lanes that send
/// orders, nobody finds that a page was removed under a running engine, and the engine's own halts don't outlive memory. Any thread may
/// call this.
pub fn disable() {
    IS_OFF.store(true, Ordering::Relaxed);
}

/// Watches a page for as long as there are handles of it, and until its breaker ends. `signature` is who halts if the page is damaged.
pub(crate) fn watch(page: &Page, signature: Signature, mut check: Option<Check>, keep: Option<Keep>) {
    if IS_OFF.load(Ordering::Relaxed) {
        return;
    }
    let mut watch = Watch::default();
    let look = move |page: &Page, now_ns: u64| {
        match check.as_mut().and_then(|check| check(page)) {
            Some(Finding::CutOff) => return LOOK_EVERY,
            Some(Finding::Damage(what)) if !page.board().halts.held().has(halts::DAMAGE) => {
                page.halt(&signature.act(Holder::DAMAGE, what, wall_ns()));
            }
            _ => {}
        }
        watch.look(page, now_ns);
        match page.board().life.0.owner_timeout_ns.load(Ordering::Relaxed) {
            0 => LOOK_EVERY,
            timeout_ns => Duration::from_nanos(timeout_ns / 4).clamp(LEAST_SPACING, LOOK_EVERY),
        }
    };
    WARDEN.add(page, Box::new(look));
    if let Some(mut keep) = keep {
        let look = move |page: &Page, _: u64| {
            keep(page);
            LOOK_EVERY
        };
        FILES.add(page, Box::new(look));
    }
}

impl Rounds {
    const fn new(thread: &'static str, looks_once_more: bool) -> Self {
        let list = Mutex::new(List { entries: Vec::new(), runs_in: None });
        Self { list, changed: Condvar::new(), thread, looks_once_more }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&'static self, page: &Page, look: Look) {
        let (page, handles) = page.for_warden();
        let mut list = self.lock();
        list.entries.push(Entry { page, handles, look });
        let pid = std::process::id();
        if list.runs_in != Some(pid) {
            let thread = thread::Builder::new().name(self.thread.to_owned());
            // Without a thread lanes go on to watch. There is nobody to be told.
            if thread.spawn(|| self.run()).is_ok() {
                list.runs_in = Some(pid);
            }
        }
        drop(list);
        self.changed.notify_all();
    }

    fn run(&self) {
        #[cfg(feature = "shm")]
        crate::cores::settle_warden();
        let began = Instant::now();
        let mut entries = Vec::new();
        loop {
            // No lock is held while this looks, as a look at a file may take long.
            entries.append(&mut self.lock().entries);
            let mut spacing = LOOK_EVERY;
            entries.retain_mut(|entry: &mut Entry| {
                let is_there = entry.handles.upgrade().is_some_and(|handles| !handles.has_ended());
                if is_there || self.looks_once_more {
                    // Nothing here panics. If it did, the watch over the other pages would go on.
                    let look = || (entry.look)(&entry.page, to_ns(began.elapsed()));
                    spacing = spacing.min(catch_unwind(AssertUnwindSafe(look)).unwrap_or(LOOK_EVERY));
                }
                is_there
            });
            let list = self.lock();
            if list.entries.is_empty() {
                drop(self.changed.wait_timeout(list, spacing));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::State;
    use crate::log::Author;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    /// A page that somebody asks, and whose owner never polls.
    fn silent() -> Page {
        let page = Page::new(State::Closed, false);
        page.board().life.0.owner_timeout_ns.store(20_000_000, Ordering::Relaxed);
        page.board().watchers.0.asked.store(1, Ordering::Relaxed);
        page
    }

    /// The thread that writes files waits, as for a disk that hangs.
    #[test]
    fn a_disk_that_hangs_does_not_stop_the_watch() {
        let page = silent();
        let [hangs, is_over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let looks = Arc::new(AtomicU64::new(0));
        let keep: Keep = Box::new({
            let (hangs, is_over) = (Arc::clone(&hangs), Arc::clone(&is_over));
            move |_| {
                hangs.store(true, Ordering::Release);
                while !is_over.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let check: Check = Box::new({
            let looks = Arc::clone(&looks);
            move |_| {
                looks.fetch_add(1, Ordering::Relaxed);
                None
            }
        });
        watch(&page, Signature::engine(Author::this_process()), Some(check), Some(keep));
        let until = |what: &dyn Fn() -> bool| {
            let began = Instant::now();
            while !what() {
                assert!(began.elapsed() < Duration::from_secs(60));
                thread::sleep(Duration::from_millis(1));
            }
        };
        until(&|| hangs.load(Ordering::Acquire));
        let before = looks.load(Ordering::Relaxed);
        until(&|| looks.load(Ordering::Relaxed) > before + 3 && page.gate().bits().is_unwatched());
        // Pages that come later are watched, too.
        let later = silent();
        watch(&later, Signature::engine(Author::this_process()), None, Some(Box::new(|_| ())));
        until(&|| later.gate().bits().is_unwatched());
        is_over.store(true, Ordering::Release);
    }
}
