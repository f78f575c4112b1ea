//! `trip99 demo`: a breaker at its job, with a node, sockets and troubles that are real.
//!
//! Three parties: the node, a process of its own; the engine, a thread that owns the breaker; and this thread, which
//! tells the node what to do next and watches the breaker as any other thread may.

mod script;
mod wire;
mod node;
mod process;
mod session;
mod engine;
mod view;
mod halts;
mod verdict;
mod summary;

pub(crate) use node::run as run_node;
pub(crate) use process::SUBCOMMAND as NODE;

use crate::failure::Failure;
use crate::operate::Place;
use crate::settings::show_options;
use crate::show::{show_count, show_line, show_settings, show_timeline};
use crate::timeline::Timeline;
use crate::trace::write_trace;
use console::{Term, style};
use engine::{Engine, Gauges, ORDER_EVERY_NS, Outcome};
use halts::Halts;
use process::Process;
use script::{Cue, Director, Phase};
use std::env;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use summary::{show_episodes, show_page, show_replay, show_totals};
use trip99::{Breaker, Config, Event, Events, Observer, State};
use verdict::{Trouble, episodes, judge};
use view::{Status, View};

const MS: u64 = 1_000_000;
/// How often this thread looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The defaults, but for a recovery that doesn't take longer than anybody wants to watch. Without jitter, as a replay has
/// none either, so that the two can be compared.
fn config() -> Config {
    Config {
        probes: 5,
        backoff_base_ns: 500 * MS,
        backoff_max_ns: 2000 * MS,
        stable_after_ns: 500 * MS,
        jitter_ppm: 0,
        ..Config::default()
    }
}

/// Runs the demo, its breaker published in a page if one is named. An error if a trouble did not pause trading, or trading did
/// not resume after it.
pub(crate) fn run(trace: Option<PathBuf>, page: Option<PathBuf>) -> Result<(), Failure> {
    let page = page.map(|page| Place::find(&page)).transpose()?;
    let config = config();
    let breaker = match &page {
        Some(page) => Breaker::create_shared(&page.path, config.clone()).map_err(|error| {
            Failure::new(format_args!("{error}; legal: --page and a name, or a path with a / in it, that nobody owns"))
        })?,
        None => Breaker::new(config.clone()).map_err(Failure::new)?,
    };
    let (observer, mut events) = (breaker.observer(), breaker.events());
    // A page that was there has those of an earlier owner.
    events.by_ref().for_each(drop);
    let (trace, file) = create(trace)?;
    let node = Process::start()?;
    introduce(&node, &config, page.as_ref(), observer.is_halted())?;

    let gauges = Arc::new(Gauges::default());
    let engine = Engine::start(breaker, node.address(), Arc::clone(&gauges))?;
    let engine = thread::Builder::new().name("engine".to_owned()).spawn(|| engine.run());
    let engine = engine.map_err(|error| Failure::new(format_args!("the engine's thread can't be started: {error}")))?;
    let mut demo = Demo::new(node, observer, events, Arc::clone(&gauges));
    let played = demo.play(config.quantile_ppm, || engine.is_finished());
    demo.view.finish();
    gauges.stop.store(true, Relaxed);
    let outcome = engine.join().map_err(|_| Failure::new("the engine's thread ended in a panic"))?;
    drop(demo.node);

    let name = trace.display();
    write_trace(BufWriter::new(file), &outcome.rows)
        .map_err(|error| Failure::new(format_args!("{name}: {error}; the trace could not be written")))?;
    played?;
    let episodes = episodes(&demo.troubles, &demo.happened);
    let mut out = io::stdout().lock();
    let (_, width) = Term::stdout().size_checked().unwrap_or((0, 80));
    let timeline = timeline(&demo.happened, demo.first_ns, demo.now_ns);
    writeln!(out, "\n{}\n", show_timeline(&timeline, usize::from(width).min(120), demo.now_ns - demo.first_ns))?;
    writeln!(out, "{}\n", show_episodes(&episodes))?;
    let Outcome { tally, rows } = outcome;
    let trace_line = format!("{name}, {} round trips", show_count(rows.len() as u64));
    let replay_line = show_replay(&program(), &trace, &show_options(&config));
    let halts = demo.halts.show(demo.now_ns).map(|text| ("halted", text));
    let last_lines = halts.into_iter().chain([("trace", trace_line), ("replay", replay_line)]);
    write_lines(&mut out, show_totals(&tally).into_iter().chain(last_lines))?;
    drop(out);
    demo.halts.judge(demo.now_ns)?;
    judge(&episodes)
}

/// The file for the trace. By default one that didn't exist, where temporary files go.
fn create(trace: Option<PathBuf>) -> Result<(PathBuf, File), Failure> {
    let (path, file) = match trace {
        Some(path) => (path.clone(), File::create(path)),
        None => {
            let path = env::temp_dir().join(format!("trip99-demo-{}.csv", std::process::id()));
            (path.clone(), File::create_new(path))
        }
    };
    let name = path.display();
    let file =
        file.map_err(|error| Failure::new(format_args!("{name}: {error}; legal: --trace and a writable file")))?;
    Ok((path, file))
}

fn introduce(node: &Process, config: &Config, page: Option<&Place>, is_halted: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}\n", style("trip99 demo").bold())?;
    let node = ("node", format!("process {} on {}", node.id(), node.address()));
    let engine = ("engine", format!("wants to send it an order every {} ms, for some 20 s", ORDER_EVERY_NS / MS));
    write_lines(&mut out, [node, engine].into_iter().chain(show_settings(config)))?;
    if let Some(page) = page {
        write_lines(&mut out, show_page(&program(), page))?;
    }
    if is_halted {
        writeln!(
            out,
            "{}",
            show_line("halted", "by somebody, before this began: no order is sent until it is resumed")
        )?;
    }
    Ok(writeln!(out)?)
}

/// As it was called.
fn program() -> String {
    env::args().next().unwrap_or_else(|| "trip99".to_owned())
}

fn write_lines(out: &mut impl Write, lines: impl IntoIterator<Item = (&'static str, String)>) -> Result<(), Failure> {
    for (name, text) in lines {
        writeln!(out, "{}", show_line(name, &text))?;
    }
    Ok(())
}

fn timeline(events: &[Event], first_ns: u64, end_ns: u64) -> Timeline {
    let mut timeline = Timeline::new();
    let (mut state, mut since_ns) = (events.first().map_or(State::Closed, |event| event.from), first_ns);
    for event in events {
        timeline.add(state, since_ns, event.t_ns);
        (state, since_ns) = (event.to, event.t_ns);
    }
    timeline.add(state, since_ns, end_ns.max(since_ns));
    timeline
}

/// The demo under way, as this thread sees it.
struct Demo {
    node: Process,
    observer: Observer,
    events: Events,
    gauges: Arc<Gauges>,
    view: View,
    director: Director,
    first_ns: u64,
    now_ns: u64,
    state: State,
    halts: Halts,
    /// When the breaker closed last, or was resumed after that.
    trading_since_ns: u64,
    happened: Vec<Event>,
    troubles: Vec<Trouble>,
}

impl Demo {
    fn new(node: Process, observer: Observer, events: Events, gauges: Arc<Gauges>) -> Self {
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

    /// Plays the script to its end, or to the engine's if that comes first.
    fn play(&mut self, quantile_ppm: u32, engine_ended: impl Fn() -> bool) -> Result<(), Failure> {
        self.view.header(quantile_ppm)?;
        self.view.phase(Phase::Calm, 0)?;
        while !engine_ended() {
            // Before the events, so that what is judged by now has been seen.
            self.now_ns = self.gauges.now_ns.load(Relaxed);
            self.watch()?;
            let is_trading = self.state == State::Closed && !self.halts.is_halted();
            // The script stands still while a human has halted trading: the breaker has nothing to notice a trouble by then.
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

    fn watch(&mut self) -> Result<(), Failure> {
        for event in self.events.by_ref() {
            self.view.transition(&event, self.first_ns)?;
            self.state = event.to;
            self.halts.note(&event);
            if event.to == State::Closed {
                self.trading_since_ns = event.t_ns;
            }
            self.happened.push(event);
        }
        Ok(())
    }

    /// The moment counts before which the node can't know; so noticing a trouble includes telling the node.
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
