//! The warden: one background thread that watches all pages of this process, and one that keeps their halts in files.
//!
//! - The warden looks whether owners are alive (see `watch`): those of breakers with gates or lanes, and those of pages that this process
//!   has opened by a path.
//! - The warden looks whether a page's path still leads to the page, and whether the page's header is intact. Otherwise it halts the page
//!   ([`Holder::DAMAGE`]): nobody could halt it by its path any more.
//! - The owner's warden halts a page whose lease has run out ([`Holder::FLEET_LEASE`]).
//! - The other thread makes the files by which halts outlive memory, where they are missing. A disk that hangs must not stop the watch.
//!
//! They look each 250 ms, or each quarter of the least `owner_timeout`, whichever is sooner. They touch nothing but atomics of pages, and
//! keep no page's breaker alive. They run with ordinary priority, and not on the core to which their maker is pinned, if the process may
//! use another. (A process may have two copies of the library: each looks after its own.)
//!
//! The child of a fork has its parent's gates, and may outlive it. So a handler starts both threads in the child, too, for the pages that
//! the child can use. (A fork waits until nobody changes the list, so that the child finds it whole.)

use crate::clock::wall_ns;
use crate::config::to_ns;
use crate::halts;
use crate::handles::Signature;
use crate::holder::Holder;
use crate::page::{Page, Watched};
use crate::sync::Ordering;
use crate::watch::Watch;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Looks are no further apart than this.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Looks are no closer than this.
const LEAST_SPACING: Duration = Duration::from_millis(2);

/// What is wrong with the file that a page is in.
pub(crate) enum Finding {
    /// The file no longer has all of the page: to touch the page may kill the process.
    CutOff,
    /// Nobody judges: no process owns the page, or the file has no more of it than the gate.
    NoOwner,
    /// Nobody could halt the page any more.
    Damage(&'static str),
}

/// Looks at the file that a page is in.
pub(crate) type Check = Box<dyn FnMut(&Page) -> Option<Finding> + Send>;
/// Keeps a page's halts in files.
pub(crate) type Keep = Box<dyn FnMut(&Page) + Send>;

/// What makes the two for one thread each.
pub(crate) type OfFile = (fn() -> Check, fn() -> Keep);

/// A page that is to be watched.
pub(crate) struct Charge<'a> {
    pub(crate) page: &'a Page,
    /// Who halts if the page is damaged.
    pub(crate) signature: Signature,
    /// For a page in a file.
    pub(crate) file: Option<OfFile>,
    /// Whether the child of a fork has the page.
    pub(crate) is_for_children: bool,
}

/// Looks at a page, and tells how soon to look again.
type Look = Box<dyn FnMut(&Page, u64) -> Duration + Send>;

/// A page that one thread looks at.
struct Entry {
    page: Page,
    handles: Weak<Watched>,
    look: Look,
}

/// What an entry is made of, in this process and in the child of a fork.
struct Plan {
    page: Page,
    handles: Weak<Watched>,
    /// The process that has the page, if children of that process don't.
    only_in: Option<u32>,
    look: Arc<dyn Fn() -> Look + Send + Sync>,
}

impl Plan {
    fn is_in(&self, pid: u32) -> bool {
        self.only_in.is_none_or(|only| only == pid)
    }

    fn is_needed(&self) -> bool {
        self.handles.upgrade().is_some_and(|handles| !handles.has_ended())
    }

    fn entry(&self) -> Entry {
        let (page, _) = self.page.for_warden();
        Entry { page, handles: Weak::clone(&self.handles), look: (self.look)() }
    }
}

/// What one thread looks at, in rounds.
struct Rounds {
    /// Held by whoever locks the list, and by a fork. No lock is held by another thread then, which the child wouldn't have.
    is_taken: AtomicBool,
    list: Mutex<List>,
    name: &'static str,
    /// Whether a page is looked at once more when its breaker has ended.
    looks_once_more: bool,
}

struct List {
    /// Those that the thread hasn't taken so far.
    entries: Vec<Entry>,
    plans: Vec<Plan>,
    thread: Option<Thread>,
    /// The process whose thread looks. In the child of a fork there is no such thread.
    runs_in: Option<u32>,
}

static WARDEN: Rounds = Rounds::new("trip99-warden", false);
static FILES: Rounds = Rounds::new("trip99-files", true);
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// Turns the warden of this process off, for pages that come after this. Then nobody finds that an owner is silent but lanes that send
/// orders, nobody finds that a page was removed under a running engine, no fleet's lease stops the engine, and the engine's own halts don't
/// outlive memory. Any thread may call this.
pub fn disable() {
    IS_OFF.store(true, Ordering::Relaxed);
}

/// True unless the warden of this process was turned off.
#[cfg(feature = "shm")]
pub(crate) fn is_on() -> bool {
    !IS_OFF.load(Ordering::Relaxed)
}

/// Watches a page for as long as there are handles of it, and until its breaker ends.
///
/// # Errors
/// The process can't have the threads for that.
pub(crate) fn watch(charge: &Charge<'_>) -> io::Result<()> {
    if IS_OFF.load(Ordering::Relaxed) {
        return Ok(());
    }
    #[cfg(feature = "shm")]
    watch_forks()?;
    let (signature, file) = (charge.signature, charge.file);
    let look = move || -> Look {
        let (mut watch, mut check) = (Watch::default(), file.map(|(check, _)| check()));
        Box::new(move |page, now_ns| {
            match check.as_mut().and_then(|check| check(page)) {
                Some(Finding::CutOff) => return LOOK_EVERY,
                Some(Finding::NoOwner) => {
                    // The next owner begins anew.
                    watch = Watch::default();
                    page.gate().set_unwatched();
                    return LOOK_EVERY;
                }
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
        })
    };
    WARDEN.add(charge, Arc::new(look))?;
    let Some((_, keep)) = file else { return Ok(()) };
    FILES.add(
        charge,
        Arc::new(move || -> Look {
            let mut keep = keep();
            Box::new(move |page, _| {
                keep(page);
                LOOK_EVERY
            })
        }),
    )
}

/// Sees to it that the child of a fork watches what it has.
#[cfg(feature = "shm")]
fn watch_forks() -> io::Result<()> {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn before() {
        FILES.take();
        WARDEN.take();
    }
    extern "C" fn in_parent() {
        WARDEN.let_go();
        FILES.let_go();
    }
    extern "C" fn in_child() {
        in_parent();
        WARDEN.start_in_child();
        FILES.start_in_child();
    }
    if !WATCHED.swap(true, Ordering::AcqRel) {
        crate::forks::at_fork(before, in_parent, in_child).inspect_err(|_| WATCHED.store(false, Ordering::Release))?;
    }
    Ok(())
}

impl Rounds {
    const fn new(name: &'static str, looks_once_more: bool) -> Self {
        let list = Mutex::new(List { entries: Vec::new(), plans: Vec::new(), thread: None, runs_in: None });
        Self { is_taken: AtomicBool::new(false), list, name, looks_once_more }
    }

    fn take(&self) {
        while self.is_taken.swap(true, Ordering::Acquire) {
            // Only for a few lines of another thread. To yield wouldn't do, if that thread has a lower priority.
            thread::sleep(Duration::from_micros(50));
        }
    }

    fn let_go(&self) {
        self.is_taken.store(false, Ordering::Release);
    }

    fn with<R>(&self, what: impl FnOnce(&mut List) -> R) -> R {
        self.take();
        let result = what(&mut self.list.lock().unwrap_or_else(PoisonError::into_inner));
        self.let_go();
        result
    }

    fn add(&'static self, charge: &Charge<'_>, look: Arc<dyn Fn() -> Look + Send + Sync>) -> io::Result<()> {
        let (page, handles) = charge.page.for_warden();
        let only_in = (!charge.is_for_children).then(std::process::id);
        let plan = Plan { page, handles, only_in, look };
        let entry = plan.entry();
        self.with(|list| {
            list.plans.retain(Plan::is_needed);
            list.plans.push(plan);
            list.entries.push(entry);
            self.start(list)
        })
    }

    /// Starts the thread, or wakes it. Without a thread lanes go on to watch.
    fn start(&'static self, list: &mut List) -> io::Result<()> {
        let pid = std::process::id();
        if list.runs_in != Some(pid) {
            if list.runs_in.is_some() {
                // The parent's thread isn't here. What it looked at is looked at by a new one, as far as the child has it.
                list.plans.retain(|plan| plan.is_in(pid) && plan.is_needed());
                list.entries = list.plans.iter().map(Plan::entry).collect();
            }
            let thread = thread::Builder::new().name(self.name.to_owned()).spawn(|| self.run())?;
            (list.thread, list.runs_in) = (Some(thread.thread().clone()), Some(pid));
        }
        if let Some(thread) = &list.thread {
            thread.unpark();
        }
        Ok(())
    }

    #[cfg(feature = "shm")]
    fn start_in_child(&'static self) {
        let pid = std::process::id();
        self.with(|list| {
            if list.plans.iter().any(|plan| plan.is_in(pid) && plan.is_needed()) {
                let _ = self.start(list); // a fork can't fail for this; the next page that is opened tries again
            }
        });
    }

    fn run(&self) {
        #[cfg(feature = "shm")]
        crate::cores::settle_warden();
        let began = Instant::now();
        let mut entries = Vec::new();
        loop {
            // Nothing is held while this looks, as a look at a file may take long.
            self.with(|list| entries.append(&mut list.entries));
            let (mut spacing, looked_at) = (LOOK_EVERY, entries.len());
            entries.retain_mut(|entry: &mut Entry| {
                let is_there = entry.handles.upgrade().is_some_and(|handles| !handles.has_ended());
                if is_there || self.looks_once_more {
                    let look = || (entry.look)(&entry.page, to_ns(began.elapsed()));
                    // One page's trouble must not end the watch of the others.
                    spacing = spacing.min(catch_unwind(AssertUnwindSafe(look)).unwrap_or(LOOK_EVERY));
                }
                is_there
            });
            if entries.len() < looked_at {
                self.with(|list| list.plans.retain(Plan::is_needed));
            }
            thread::park_timeout(spacing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::State;
    use crate::log::Author;
    use std::sync::atomic::AtomicU64;

    static HANGS: AtomicBool = AtomicBool::new(false);
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    static LOOKS: AtomicU64 = AtomicU64::new(0);

    fn page() -> Page {
        let page = Page::new(State::Closed, false, 0);
        page.board().life.0.owner_timeout_ns.store(20_000_000, Ordering::Relaxed);
        page.board().watchers.0.asked.store(1, Ordering::Relaxed);
        page
    }

    fn counted() -> Check {
        Box::new(|_| {
            LOOKS.fetch_add(1, Ordering::Relaxed);
            None
        })
    }

    fn hangs() -> Keep {
        Box::new(|_| {
            HANGS.store(true, Ordering::Release);
            while !IS_OVER.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1));
            }
        })
    }

    fn watched(page: &Page) {
        let signature = Signature::engine(Author::this_process());
        let charge = Charge { page, signature, file: Some((counted, hangs)), is_for_children: false };
        assert!(watch(&charge).is_ok());
    }

    fn until(what: impl Fn() -> bool) {
        let began = Instant::now();
        while !what() {
            assert!(began.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The thread that writes files waits, as for a disk that hangs.
    #[test]
    fn a_disk_that_hangs_does_not_stop_the_watch() {
        let page = page();
        watched(&page);
        until(|| HANGS.load(Ordering::Acquire));
        let before = LOOKS.load(Ordering::Relaxed);
        until(|| LOOKS.load(Ordering::Relaxed) > before + 3 && page.gate().bits().is_unwatched());
        // Pages that come later are watched, too.
        let later = self::page();
        watched(&later);
        until(|| later.gate().bits().is_unwatched());
        IS_OVER.store(true, Ordering::Release);
    }
}
