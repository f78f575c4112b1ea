//! The warden: one background thread that watches all pages of this process.
//!
//! - It looks whether owners are alive (see `watch`): those of breakers with gates or lanes, and those of pages that this process has
//!   opened by a path.
//! - It looks whether a page's path still leads to the page, and whether the page's header is intact. Otherwise it halts the page
//!   ([`Holder::DAMAGE`]): nobody could halt it by its path any more.
//!
//! It looks each 250 ms, or each quarter of the least `owner_timeout`, whichever is sooner. It touches nothing but atomics of pages. It
//! keeps no page alive. (A process may have two copies of the library: each looks after its own.)

use crate::clock::wall_ns;
use crate::handles::Signature;
use crate::holder::Holder;
use crate::page::{Life, Page, Watched};
use crate::sync::Ordering;
use crate::watch::Watch;
use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// The warden looks this often at least.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The warden looks no more often than this.
const LEAST_SPACING: Duration = Duration::from_millis(2);

/// What is wrong with the file that a page is in.
pub(crate) type Check = Box<dyn FnMut(&Page) -> Option<&'static str> + Send>;

struct Entry {
    page: Page,
    handles: Weak<Watched>,
    watch: Watch,
    check: Option<Check>,
    /// In whose name damage halts.
    signature: Signature,
}

#[derive(Default)]
struct Warden {
    entries: Vec<Entry>,
    /// The process whose thread looks. In the child of a fork there is no such thread.
    runs_in: Option<u32>,
}

static WARDEN: Mutex<Warden> = Mutex::new(Warden { entries: Vec::new(), runs_in: None });
static CHANGED: Condvar = Condvar::new();
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// Turns the warden of this process off, for pages that come after this. Then nobody finds that an owner is silent but the lanes that
/// send orders, and nobody finds that a page was removed under a running engine. Any thread may call this.
pub fn disable() {
    IS_OFF.store(true, Ordering::Relaxed);
}

fn lock() -> MutexGuard<'static, Warden> {
    WARDEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a page for as long as there are handles of it, and until its breaker ends.
pub(crate) fn watch(page: &Page, signature: Signature, check: Option<Check>) {
    if IS_OFF.load(Ordering::Relaxed) {
        return;
    }
    let mut warden = lock();
    let (page, handles) = page.for_warden();
    warden.entries.push(Entry { page, handles, watch: Watch::default(), check, signature });
    let pid = std::process::id();
    if warden.runs_in != Some(pid) {
        let thread = thread::Builder::new().name("trip99-warden".to_owned());
        // Without a thread lanes go on to watch. There is nobody to be told.
        if thread.spawn(run).is_ok() {
            warden.runs_in = Some(pid);
        }
    }
    drop(warden);
    CHANGED.notify_all();
}

fn run() {
    crate::shm::settle_warden();
    let began = Instant::now();
    let mut warden = lock();
    loop {
        let now_ns = crate::config::to_ns(began.elapsed());
        let mut spacing = LOOK_EVERY;
        warden.entries.retain_mut(|entry| {
            let is_there = entry.handles.upgrade().is_some_and(|handles| !handles.has_ended());
            if is_there {
                spacing = spacing.min(entry.look(now_ns));
            }
            is_there
        });
        let (next, _) = CHANGED.wait_timeout(warden, spacing).unwrap_or_else(PoisonError::into_inner);
        warden = next;
    }
}

impl Entry {
    /// Looks, and returns how soon to look again.
    fn look(&mut self, now_ns: u64) -> Duration {
        self.watch.look(&self.page, now_ns);
        if let Some(what) = self.check.as_mut().and_then(|check| check(&self.page)) {
            let is_known = self.page.board().halts.held().has(crate::halts::DAMAGE);
            if !is_known {
                self.page.halt(&self.signature.act(Holder::DAMAGE, what, wall_ns()));
            }
        }
        let Life { owner_timeout_ns, .. } = &self.page.board().life.0;
        match owner_timeout_ns.load(Ordering::Relaxed) {
            0 => LOOK_EVERY,
            timeout_ns => Duration::from_nanos(timeout_ns / 4).clamp(LEAST_SPACING, LOOK_EVERY),
        }
    }
}
