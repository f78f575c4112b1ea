//! How long after a halt the last order passes: 200 engines on 20 agents of one machine, each of which asks 100 times a second.
//!
//! ```sh
//! cargo build --release -p trip99-fleet && cargo run --release -p trip99-fleet --example halt_latency
//! ```
//!
//! An argument is another number of agents. It needs nats-server 2.10 or newer, in the search path or named by `TRIP99_NATS_SERVER`.

use std::error::Error;
use std::time::Duration;
use trip99_fleet::ask::Asker;
use trip99_fleet::command::look::{Reports, take_report};
use trip99_fleet::lab::{Lab, Plan, servers, until};
use trip99_fleet::message::{self, Body, Halt, Id};
use trip99_fleet::selection::Selection;
use trip99_fleet::time::{monotonic_ns, wall_ns};
use trip99_fleet::trust::Role;

const ENGINES: usize = 10;
const ROUNDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(120);

fn all(lab: &Lab, trade: bool) -> bool {
    lab.hosts.iter().flat_map(|host| host.engines.gauges()).all(|gauge| gauge.trades() == trade)
}

/// Halts, and waits until each agent has answered. Returns when that was begun.
async fn halt(asker: &mut Asker, agents: usize) -> Result<u64, Box<dyn Error>> {
    let (reason, who) = ("a bench".to_owned(), "bench".to_owned());
    let halt = Halt { id: Id::new()?, selection: Selection::all(), reason, who, at_ns: wall_ns() };
    let (id, subject) = (halt.id.to_string(), asker.subjects.halt());
    let begin_ns = monotonic_ns();
    let text = message::seal(&asker.key, &asker.trust.fleet, &Body::Halt(halt))?.into();
    let mut reports = Reports::new();
    let have_answered = |trust: &_, opened| {
        take_report(trust, opened, &id, &mut reports);
        reports.len() == agents
    };
    if asker.gather(&subject, &text, PATIENCE, have_answered).await {
        Ok(begin_ns)
    } else {
        Err("not all answered".into())
    }
}

fn show(what: &str, mut spans_ns: Vec<u64>) {
    spans_ns.sort_unstable();
    let at = |share: f64| spans_ns[((spans_ns.len() as f64 * share).ceil() as usize).saturating_sub(1)] as f64 / 1e6;
    println!(
        "{what:<28} {:>6} spans   P50 {:>8.2} ms   P99 {:>8.2} ms   greatest {:>8.2} ms",
        spans_ns.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

#[tokio::main(worker_threads = 2)] // connections answer pings while this waits
async fn main() -> Result<(), Box<dyn Error>> {
    let agents = std::env::args().nth(1).map_or(Ok(20), |count| count.parse::<usize>())?;
    let example = std::env::current_exe()?;
    let program = example.ancestors().nth(2).ok_or("no target folder")?.join("trip99-fleet");
    let plan = Plan {
        program,
        server: servers::find()?,
        servers: 3,
        governors: 2,
        hosts: agents,
        engines: ENGINES,
        ask_every: Duration::from_millis(10),
        agent_args: Vec::new(),
    };
    let lab = Lab::begin(plan)?;
    if !until(PATIENCE, || all(&lab, true) && lab.is_leased()) {
        return Err(format!("not all trade:\n{}", lab.logs()).into());
    }
    println!("{} engines on {agents} agents, each asks 100 times a second; {ROUNDS} halts", agents * ENGINES);
    let mut asker = Asker::connect(&lab.fleet(), &lab.key(Role::Halter, "ann"), &[Role::Halter]).await?;
    let (mut passed, mut refused, mut answered, mut last) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin_ns = halt(&mut asker, agents).await?;
        answered.push(monotonic_ns() - begin_ns);
        if !until(PATIENCE, || all(&lab, false)) {
            return Err("not all refuse".into());
        }
        let gauges = || lab.hosts.iter().flat_map(|host| host.engines.gauges());
        passed.extend(gauges().map(|gauge| gauge.passed_ns().saturating_sub(begin_ns)));
        refused.extend(gauges().map(|gauge| gauge.stopped_ns().saturating_sub(begin_ns)));
        last.extend(gauges().map(|gauge| gauge.passed_ns().saturating_sub(begin_ns)).max());
        // An agent that is slow to read it makes the command fail, and has read it by then.
        let resumes = (0..5).any(|_| {
            lab.resume(&["--all", "--yes", "--reason", "next"]).is_ok() && until(PATIENCE / 6, || all(&lab, true))
        });
        if !resumes {
            return Err(format!("not all trade again:\n{}", lab.logs()).into());
        }
    }
    show("last order of an engine", passed);
    show("first refusal of an engine", refused);
    show("last order of the fleet", last);
    show("last agent's answer", answered);
    Ok(())
}
