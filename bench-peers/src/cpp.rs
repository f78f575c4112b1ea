//! Runs the C++ program of `benches/`, in turns with the inline calls. It times the C ABI, and what C++ has for a quantile.

use crate::effort::Effort;
use crate::load::Load;
use crate::peers::{Peer, trip99};
use crate::report::{quartiles, ratio, table, time};
use crate::rounds::{Line, Spread, take_turns};
use ::trip99::Config;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// How often the inline calls and the program take turns. (Neither can call the other.)
const TURNS: usize = 7;
const ROUNDS_IN_TURN: usize = 41;
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const BARE_CALL: &str = "a bare call";
const TWO_RDTSC: &str = "two rdtsc";
const TICKETS: &str = "cb_gate_closed + cb_begin + cb_end";
const GATE_AND_RECORD_AT: &str = "cb_gate_closed + cb_record_at";
/// The first operation that finds a quantile. The others that find one are compared to it.
const SLIDES: &str = "16 x cb_record_at";
const QUANTILE: &str = "cb_quantile_ns_at, after 16 more";

/// An operation's name, and its nanoseconds by round.
type Timed = (String, Vec<f64>);

pub(crate) struct Figures {
    compiler: String,
    operations: Vec<Timed>,
    /// The same breaker, inline in Rust, by round.
    inline_ns: Vec<f64>,
    /// Medians of each turn: the inline calls, a bare call, and a question and a call through the C ABI.
    turns_ns: Vec<[f64; 3]>,
}

impl Figures {
    /// Ratios of the turns' medians: what the C ABI takes, to what it may.
    pub(crate) fn against_inline_and_a_call(&self) -> Spread {
        Spread::of(self.turns_ns.iter().map(|[inline, bare_call, through]| through / (inline + bare_call)))
    }

    /// Of the program's rounds. `measure` has seen that both lines are there.
    pub(crate) fn tickets_to_two_rdtsc(&self) -> Spread {
        let ns = |name| ns(&self.operations, name).unwrap_or(&[]);
        Spread::of_ratios(ns(TICKETS), ns(TWO_RDTSC))
    }
}

/// The compiler in `$CXX`, which may have arguments, otherwise `c++`, and its own name for itself. `None` if there is no compiler.
fn compiler() -> Option<(Command, String)> {
    let chosen = env::var("CXX").ok().filter(|chosen| !chosen.trim().is_empty());
    let command = || {
        let mut words = chosen.as_deref().unwrap_or("c++").split_whitespace();
        let mut command = Command::new(words.next().expect("not blank"));
        command.args(words);
        command
    };
    let output = command().arg("--version").stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned);
    version.filter(|_| output.status.success()).map(|version| (command(), version))
}

/// The command's output. If it failed, what it wrote on standard error.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
}

/// Installs the C libraries beside this program, and compiles the other one against the static one.
fn build(mut compiler: Command) -> Result<PathBuf, String> {
    let executable = env::current_exe().map_err(|error| error.to_string())?;
    let work = executable.parent().unwrap_or(Path::new(".")).join("c_abi");
    fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    let (prefix, program) = (work.join("prefix"), work.join("c_abi"));
    let mut install = Command::new(format!("{REPOSITORY}/cmake/install.sh"));
    install.arg("--prefix").arg(&prefix).arg("--target-dir").arg(work.join("target")).env_remove("DESTDIR");
    run(&mut install)?;
    compiler.args(["-std=c++14", "-O2", "-I"]).arg(prefix.join("include"));
    compiler.arg(format!("{REPOSITORY}/benches/c_abi.cpp")).arg(prefix.join("lib/libtrip99.a"));
    run(compiler.arg("-o").arg(&program))?;
    Ok(program)
}

/// A line of tab-separated values for each operation.
fn parse(text: &str) -> Result<Vec<Timed>, String> {
    let operation = |line: &str| {
        let mut cells = line.split('\t');
        let name = cells.next().unwrap_or("").to_owned();
        let ns: Result<Vec<f64>, _> = cells.map(str::parse).collect();
        match ns {
            Ok(ns) if !ns.is_empty() => Ok((name, ns)),
            _ => Err(format!("the C++ program wrote {line:?}")),
        }
    };
    text.lines().map(operation).collect()
}

fn ns<'a>(operations: &'a [Timed], name: &str) -> Result<&'a [f64], String> {
    let operation = operations.iter().find(|(other, _)| other == name);
    operation.map(|(_, ns)| ns.as_slice()).ok_or_else(|| format!("the C++ program doesn't time {name}"))
}

/// `None` if there is no C++ compiler.
pub(crate) fn measure(effort: Effort) -> Result<Option<Figures>, String> {
    let Some((compiler, version)) = compiler() else { return Ok(None) };
    let program = build(compiler)?;
    let (turns, rounds) = if effort == Effort::Quick { (1, 5) } else { (TURNS, ROUNDS_IN_TURN) };
    let mut figures =
        Figures { compiler: version, operations: Vec::new(), inline_ns: Vec::new(), turns_ns: Vec::new() };
    let mut peer = trip99::make(Config::default());
    let mut inline = [Line::new("", move |load, calls| peer.run(load, calls))];
    let load = &mut Load::new();
    let median = |ns: &[f64]| Spread::of(ns.iter().copied()).median;
    for _ in 0..turns {
        inline[0].ns.clear();
        take_turns(&mut inline, load, rounds);
        let operations = parse(&run(Command::new(&program).arg(rounds.to_string()))?)?;
        let (bare_call, through) = (ns(&operations, BARE_CALL)?, ns(&operations, GATE_AND_RECORD_AT)?);
        figures.turns_ns.push([&inline[0].ns, bare_call, through].map(median));
        figures.inline_ns.extend(&inline[0].ns);
        if figures.operations.is_empty() {
            figures.operations = operations;
        } else {
            for (all, more) in figures.operations.iter_mut().zip(operations) {
                all.1.extend(more.1);
            }
        }
    }
    for name in [SLIDES, QUANTILE, TICKETS, TWO_RDTSC] {
        ns(&figures.operations, name)?;
    }
    Ok(Some(figures))
}

fn rows(operations: &[Timed], base_ns: &[f64]) -> Vec<Vec<String>> {
    let row = |(name, ns): &Timed| {
        let spread = Spread::of(ns.iter().copied());
        let to_base = ratio(Spread::of_ratios(ns, base_ns));
        vec![name.clone(), time(spread.median), quartiles(spread), to_base]
    };
    operations.iter().map(row).collect()
}

/// Two tables.
pub(crate) fn report(figures: &Figures) -> String {
    let split = figures.operations.iter().position(|(name, _)| name == SLIDES).unwrap_or(0);
    let (calls, quantiles) = figures.operations.split_at(split);
    let base = |name| ns(&figures.operations, name).unwrap_or(&[]);
    let inline = Spread::of(figures.inline_ns.iter().copied());
    let mut call_rows = rows(calls, base(BARE_CALL));
    let name = "in turns with it, inline in Rust: allow_at + record_at".to_owned();
    call_rows.push(vec![name, time(inline.median), quartiles(inline), "-".to_owned()]);
    format!(
        "{}, -O2, the static library.\n\n{}\n{}",
        figures.compiler,
        table(&["a call", "median", "quartiles", "x a bare call"], &call_rows),
        table(
            &["P99 of 1024, slid by 16", "median", "quartiles", "x cb_quantile_ns_at"],
            &rows(quantiles, base(QUANTILE))
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_writes_is_read() {
        let operations = parse("a call\t1.5\t2\nanother, and more\t0.25\t0.5\n").expect("two lines");
        assert_eq!(ns(&operations, "another, and more"), Ok(&[0.25, 0.5][..]));
        assert!(ns(&operations, "a third").is_err());
        for wrong in ["no figures", "a call\tx", "a call\t"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_abi_is_held_against_the_inline_calls_and_one_more() {
        let turns_ns = vec![[5.0, 1.0, 6.0], [4.0, 1.0, 7.5], [5.0, 1.0, 3.0]];
        let figures = Figures { compiler: String::new(), operations: Vec::new(), inline_ns: Vec::new(), turns_ns };
        assert_eq!(figures.against_inline_and_a_call().median, 1.0);
    }
}
