//! The demo under way. This thread plays the script, and watches the breaker as any thread may.

use crate::demo::engine::Gauges;
use crate::demo::halts::Halts;
use crate::demo::process::Process;
use crate::demo::script::{Cue, Director, Phase};
use crate::demo::verdict::Trouble;
use crate::demo::view::{Status, View};
use crate::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use trip99::{Event, Events, Observer, State};

/// How often this thread looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Play {
    node: Process,
    observer: Observer,
    events: Events,
    gauges: Arc<Gauges>,
    view: View,
    director: Director,
    pub(crate) first_ns: u64,
    pub(crate) now_ns: u64,
    state: State,
    pub(crate) halts: Halts,
    /// When the breaker closed last, or was resumed after that.
    trading_since_ns: u64,
    pub(crate) happened: Vec<Event>,
    pub(crate) troubles: Vec<Trouble>,
}

impl Play {
    pub(crate) fn new(node: Process, observer: Observer, events: Events, gauges: Arc<Gauges>) -> Self {
        let now_ns = gauges.now_ns.load(Relaxed);
        let state = observer.state().unwrap_or_default();
        Self {
            node,
            observer,
            events,
            gauges,
            view: View::new(),
            director: Director::new(now_ns),
            first_ns: now_ns,
            now_ns,
            state,
            halts: Halts::default(),
            trading_since_ns: now_ns,
            happened: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Plays the script until it ends, or until the engine ends.
    pub(crate) fn play(&mut self, quantile_ppm: u32, engine_ended: impl Fn() -> bool) -> Result<(), Failure> {
        let played = self.play_on(quantile_ppm, engine_ended);
        self.view.finish();
        played
    }

    fn play_on(&mut self, quantile_ppm: u32, engine_ended: impl Fn() -> bool) -> Result<(), Failure> {
        self.view.header(quantile_ppm)?;
        self.view.phase(Phase::Calm, 0)?;
        while !engine_ended() {
            // The time is read before the events: all that was judged before this time is seen.
            self.now_ns = self.gauges.now_ns.load(Relaxed);
            self.watch(quantile_ppm)?;
            let is_trading = self.state == State::Closed && !self.halts.is_halted();
            // The script stands still during a halt: no orders go out then by which the breaker could notice a trouble.
            let script_ns = |ns: u64| ns.saturating_sub(self.halts.total_ns(self.now_ns));
            let trading_since_ns = is_trading.then(|| script_ns(self.trading_since_ns));
            if self.halts.is_too_long(self.now_ns) {
                return Ok(());
            }
            match self.director.cue(script_ns(self.now_ns), trading_since_ns) {
                Cue::Wait => {}
                Cue::Begin(phase) => self.begin(phase)?,
                Cue::End => return Ok(()),
            }
            self.view.status(&self.status())?;
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn watch(&mut self, quantile_ppm: u32) -> Result<(), Failure> {
        for event in self.events.by_ref() {
            self.view.transition(&event, self.first_ns, quantile_ppm)?;
            self.state = event.to;
            self.halts.note(&event);
            if event.to == State::Closed {
                self.trading_since_ns = event.t_ns;
            }
            self.happened.push(event);
        }
        self.halts.look(self.observer.is_halted(), self.now_ns);
        Ok(())
    }

    /// A trouble begins when this thread tells the node. So the time to notice it includes the time that the message takes.
    fn begin(&mut self, phase: Phase) -> Result<(), Failure> {
        let now_ns = self.gauges.now_ns.load(Relaxed);
        self.node.enter(phase)?;
        if phase == Phase::Calm {
            if let Some(trouble) = self.troubles.last_mut() {
                trouble.end_ns = Some(now_ns);
            }
        } else {
            self.troubles.push(Trouble { phase, start_ns: now_ns, end_ns: None });
        }
        self.view.phase(phase, now_ns - self.first_ns)
    }

    fn status(&self) -> Status {
        let since_first = |ns: u64| ns.saturating_sub(self.first_ns);
        let retry_at_ns = self.observer.retry_at_ns();
        Status {
            now_ns: since_first(self.now_ns),
            phase: self.director.phase(),
            state: self.state,
            is_halted: self.halts.is_halted(),
            retry_at_ns: (self.state == State::Open).then(|| since_first(retry_at_ns)),
            quantile_ns: self.gauges.quantile_ns.load(Relaxed),
            sent: self.gauges.sent.load(Relaxed),
            refused: self.gauges.refused.load(Relaxed),
            resting: self.gauges.resting.load(Relaxed),
            in_flight: self.gauges.in_flight.load(Relaxed),
        }
    }
}
