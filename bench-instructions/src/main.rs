//! Counts the instructions of the hot path, and compares them with `baseline.toml`. Exits with 1 if an operation is worse.
//! With the argument `update` it writes that file instead.

use bench_instructions::{Counts, read_report, vectors};
use std::error::Error;
use std::process::{Command, ExitCode, Stdio};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.toml");
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        None => check(),
        Some("update") => update().map(|()| ExitCode::SUCCESS),
        Some("vectors") => {
            println!("{}", vectors());
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => Err(format!("{other}: nothing but `update` is known").into()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("bench-instructions: {error}");
        ExitCode::FAILURE
    })
}

fn check() -> Result<ExitCode, Box<dyn Error>> {
    let baseline = Counts::parse(&std::fs::read_to_string(BASELINE)?)?;
    let (lines, rejected) = count()?.compare(&baseline);
    lines.iter().for_each(|line| println!("{line}"));
    Ok(if rejected { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn update() -> Result<(), Box<dyn Error>> {
    let counts = count()?;
    std::fs::write(BASELINE, counts.to_string())?;
    print!("{counts}");
    Ok(())
}

fn count() -> Result<Counts, Box<dyn Error>> {
    let rustc = output(Command::new("rustc").arg("--version"))?;
    let version = output(Command::new("rustc").arg("-vV"))?;
    let target = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc tells no host")?;
    // This runs under valgrind, which shows programs another CPU than the real one.
    let vectors =
        output(Command::new("valgrind").args(["-q", "--tool=none"]).arg(std::env::current_exe()?).arg("vectors"))?;
    let reports = output(
        Command::new("cargo")
            .args(["bench", "--locked", "--manifest-path", MANIFEST])
            .args(["--bench", "operations", "--", "--output-format=json"])
            .env_remove("RUSTFLAGS"), // as most users build
    )?;
    Ok(Counts {
        rustc: rustc.trim().to_owned(),
        target: target.to_owned(),
        vectors: vectors.trim().to_owned(),
        instructions: reports.lines().map(read_report).collect::<Result<_, _>>()?,
    })
}

/// What the command prints, if it succeeds.
fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let program = command.get_program().to_owned();
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
