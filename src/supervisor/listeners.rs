//! Listeners: closures that follow journals, each on a thread of its own.

use super::faults::{Fault, Faults, Reports, message};
use super::join_by;
use crate::event::Event;
use crate::handles::{Events, Observer};
use core::fmt;
use crossbeam_utils::sync::{Parker, Unparker};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a listener is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A transition, a halt or a resume.
    Event(Event),
    /// So many events were overwritten before this listener came to them: the journal keeps the latest 64, or in a file the latest
    /// 1024. This notice takes their place, before the event that follows them.
    Missed(u64),
}

pub(super) type Listen = Box<dyn FnMut(&str, Notice) + Send>;

/// A closure that is told each event of a breaker, in order, on a thread of its own. It is for an engine that owns its breaker
/// itself. (A [`Supervisor`](super::Supervisor) makes its own listeners.)
///
/// The thread looks at the journal at an interval. So the owner does nothing for its listeners: it makes no system call, takes
/// no lock and doesn't wait for a slow listener. If the closure panics, the panic is counted, and the closure is called with
/// the next event.
///
/// Dropping a listener stops it. The closure is first told what was journaled before the drop, but the drop doesn't wait longer
/// than [`STOP_TIMEOUT`](Self::STOP_TIMEOUT) for that.
///
/// ```
/// use std::sync::mpsc;
/// use trip99::supervisor::{Listener, Notice};
/// use trip99::{Breaker, Config, Reason};
///
/// let mut breaker = Breaker::new(Config { spike_count: 1, ..Config::default() })?;
/// let (sender, received) = mpsc::channel();
/// let listener = Listener::spawn("gateway", &breaker.observer(), Listener::INTERVAL, move |name, notice| {
///     if let Notice::Event(event) = notice {
///         let _ = sender.send((name.to_owned(), event.reason));
///     }
/// })?;
/// breaker.record(200_000_001);
/// drop(listener);
/// assert_eq!(received.try_recv()?, ("gateway".to_owned(), Reason::Spike));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Listener {
    /// `None` once it is stopped.
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    wake: Unparker,
    reports: Arc<Reports>,
}

impl Listener {
    /// How often a supervisor's listener looks for events by default.
    pub const INTERVAL: Duration = Duration::from_millis(5);

    /// How long dropping a listener waits for it.
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);

    /// Follows the events that `observer` sees, from the oldest that the journal still has. The thread looks for new events every
    /// `interval`. The closure gets `name` with each event.
    ///
    /// # Errors
    /// The operating system refuses a thread.
    pub fn spawn(
        name: impl Into<String>,
        observer: &Observer,
        interval: Duration,
        listener: impl FnMut(&str, Notice) + Send + 'static,
    ) -> io::Result<Self> {
        Self::follow(vec![(name.into(), observer.events())], interval, Box::new(listener), Arc::default())
    }

    pub(super) fn follow(
        sources: Vec<(String, Events)>,
        interval: Duration,
        mut listen: Listen,
        reports: Arc<Reports>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        // The loop doesn't sleep by the thread's own token: a closure that does would take a wake-up that is meant for the loop.
        let parker = Parker::new();
        let wake = parker.unparker().clone();
        let mut followed: Vec<_> =
            sources.into_iter().map(|(name, events)| Followed { name, events, told: 0 }).collect();
        let (told_to_stop, to) = (Arc::clone(&stop), Arc::clone(&reports));
        let thread = thread::Builder::new().name("trip99-listen".to_owned()).spawn(move || {
            // The flag is looked at before the turn, so the last turn tells all that was journaled before the stop.
            while !told_to_stop.load(Ordering::Acquire) {
                followed.iter_mut().for_each(|followed| followed.turn(&mut listen, &to));
                parker.park_timeout(interval);
            }
            followed.iter_mut().for_each(|followed| followed.turn(&mut listen, &to));
        })?;
        Ok(Self { thread: Some(thread), stop, wake, reports })
    }

    /// The number of events at which the closure panicked.
    pub fn panics(&self) -> u64 {
        let Faults { listeners_panicked, .. } = self.reports.faults();
        listeners_panicked
    }

    /// Stops, as dropping does, but waits for up to `timeout`. False if the closure is still busy then. In that case its thread is
    /// left to itself, and goes on until it has told the rest.
    pub fn stop(self, timeout: Duration) -> bool {
        self.tell_to_stop();
        self.join_by(Instant::now().checked_add(timeout))
    }

    pub(super) fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake.unpark();
    }

    /// Waits for a listener that was told to stop; false if it is still busy at the deadline.
    pub(super) fn join_by(mut self, deadline: Option<Instant>) -> bool {
        self.thread.take().is_none_or(|thread| join_by(thread, deadline))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            join_by(thread, Instant::now().checked_add(Self::STOP_TIMEOUT));
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("panics", &self.panics()).finish()
    }
}

/// A journal that a listener follows.
struct Followed {
    name: String,
    events: Events,
    /// How many missed events the listener has been told of.
    told: u64,
}

impl Followed {
    /// Tells what there is, but no more events than the journal holds. So a turn tells all that is there when it begins, and
    /// ends even if events keep coming.
    fn turn(&mut self, listen: &mut Listen, reports: &Reports) {
        for _ in 0..self.events.kept() {
            let event = self.events.next();
            let missed = self.events.missed();
            if missed > self.told {
                self.tell(Notice::Missed(missed - self.told), listen, reports);
                self.told = missed;
            }
            match event {
                Some(event) => self.tell(Notice::Event(event), listen, reports),
                None => return,
            }
        }
    }

    fn tell(&self, notice: Notice, listen: &mut Listen, reports: &Reports) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| listen(&self.name, notice))) {
            reports.tell(&Fault::ListenerPanicked { breaker: &self.name, message: message(&*payload) });
            core::mem::forget(payload); // its drop may panic, too
        }
    }
}
