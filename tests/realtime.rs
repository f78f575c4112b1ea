//! The hot operations make no system call, in any state: here the kernel kills a process that makes one. With
//! RealtimeSanitizer (`--cfg rtsan`) nothing in them may block or allocate, either.
//!
//! Each check has a twin that must be caught. There is no harness, as it would make system calls of its own.
#![cfg_attr(rtsan, feature(sanitize))]

mod harness;

use std::env;
use std::io::Write;
use std::process::{Command, ExitCode, ExitStatus};
use trip99::{Breaker, Config, Gate, Lane};

const MS: u64 = 1_000_000;

fn config() -> Config {
    Config { window_len: 64, min_samples: 10, probes: 2, backoff_base_ns: 1, backoff_max_ns: 1, ..Config::default() }
}

/// Each operation of the owner and of a lane, in each state, with and without the clock.
#[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
fn trade(breaker: &mut Breaker, gate: &Gate, lane: &mut Lane) -> bool {
    let mut all_states = [false; 3];
    for round in 0..100 {
        all_states[breaker.state() as usize] = true;
        let ok = round % 30 < 15;
        if breaker.allow() {
            let call = breaker.begin();
            if ok {
                breaker.end(call)
            } else {
                breaker.fail(call)
            }
            all_states[breaker.state() as usize] = true;
        }
        let now_ns = breaker.now_ns();
        if breaker.allow_at(now_ns) {
            breaker.release();
        }
        let call = breaker.begin_at(now_ns);
        breaker.abandon(call);
        breaker.record(MS);
        breaker.record_at(now_ns, 300 * MS);
        if !ok {
            breaker.record_failure(MS);
        }
        breaker.record_probe(MS, ok);
        if gate.allow() {
            let call = lane.begin();
            if ok { lane.end(call) } else { lane.fail(call) }
        }
        let call = lane.begin();
        lane.abandon(call);
        lane.record(MS);
        lane.record_probe(MS, ok);
        gate.release();
        gate.halt("");
        breaker.poll();
        gate.resume("");
        breaker.poll();
        breaker.quantile_ns(990_000);
    }
    all_states == [true; 3]
}

/// The sanitizer must catch this, as it allocates.
#[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
fn allocate() -> usize {
    std::hint::black_box(vec![1_u8; 100_000]).len()
}

/// The kernel must catch this.
fn make_a_system_call() {
    std::thread::yield_now();
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::ffi::{c_int, c_ulong, c_ushort};

    /// An instruction of the classic Berkeley packet filter, as in `linux/filter.h`.
    #[repr(C)]
    struct Instruction {
        code: u16,
        jump_if_true: u8,
        jump_if_false: u8,
        operand: u32,
    }

    #[repr(C)]
    struct Program {
        len: c_ushort,
        instructions: *const Instruction,
    }

    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const KILL_PROCESS: u32 = 0x8000_0000;
    /// `write` and `exit_group`.
    #[cfg(target_arch = "x86_64")]
    const ALLOWED: [u32; 2] = [1, 231];
    #[cfg(not(target_arch = "x86_64"))] // the generic table, of all newer architectures
    const ALLOWED: [u32; 2] = [64, 94];

    const PR_SET_SECCOMP: c_int = 22;
    const PR_SET_NO_NEW_PRIVS: c_int = 38;
    const SECCOMP_MODE_FILTER: c_ulong = 2;

    unsafe extern "C" {
        fn prctl(option: c_int, ...) -> c_int;
    }

    /// From here on every system call but write and exit kills the process. False if this kernel can't do that. (The strict mode
    /// won't do, as it also forbids reading the time stamp counter.)
    pub(crate) fn forbid_system_calls() -> bool {
        let instruction =
            |code, jump_if_true, jump_if_false, operand| Instruction { code, jump_if_true, jump_if_false, operand };
        let instructions = [
            instruction(LOAD_WORD, 0, 0, 0), // the call's number
            instruction(JUMP_IF_EQUAL, 2, 0, ALLOWED[0]),
            instruction(JUMP_IF_EQUAL, 1, 0, ALLOWED[1]),
            instruction(RETURN, 0, 0, KILL_PROCESS),
            instruction(RETURN, 0, 0, ALLOW),
        ];
        let program = Program { len: instructions.len() as c_ushort, instructions: instructions.as_ptr() };
        let (on, none): (c_ulong, c_ulong) = (1, 0);
        // SAFETY: the arguments are of the types that `prctl(2)` says, and the kernel copies the program.
        unsafe {
            prctl(PR_SET_NO_NEW_PRIVS, on, none, none, none) == 0
                && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &raw const program) == 0
        }
    }
}

/// A breaker for these operations, with its page in a file if the operations are for such a breaker.
#[cfg(target_os = "linux")]
fn breaker_for(operations: &str) -> Breaker {
    if operations == "trade-shared" {
        let path = std::path::PathBuf::from(format!("/dev/shm/realtime-trip99-{}", std::process::id()));
        // Without a warden, as the page is removed below.
        let options = trip99::shared::Options::default().warden(false);
        let breaker = Breaker::create_shared_with(&path, config(), trip99::Start::Closed, &options).expect("a page");
        // The breaker keeps the file mapped. Nobody else needs to find it.
        std::fs::remove_file(&path).expect("the page is there");
        let _ = std::fs::remove_file(path.with_file_name(format!(".realtime-trip99-{}.lock", std::process::id())));
        return breaker;
    }
    Breaker::new(config()).expect("a legal config")
}

/// Runs in a process of its own, which prints "done" if it survives.
#[cfg(target_os = "linux")]
fn run_without_system_calls(operations: &str) {
    let mut breaker = breaker_for(operations);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    if !kernel::forbid_system_calls() {
        println!("not supported");
        return;
    }
    let done = match operations {
        "trade" | "trade-shared" => trade(&mut breaker, &gate, &mut lane),
        _ => {
            make_a_system_call();
            true
        }
    };
    if done {
        let _ = std::io::stdout().write_all(b"done\n");
    }
    // The process dies here, of the system call that frees the breaker's memory.
}

fn run_self(argument: &str) -> (ExitStatus, String) {
    let myself = env::current_exe().expect("a path");
    let output = Command::new(myself).arg(argument).output().expect("runs");
    (output.status, String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[cfg(target_os = "linux")]
fn hot_operations_make_no_system_call() {
    if cfg!(rtsan) {
        return harness::skip("the sanitizer itself makes system calls");
    }
    for operations in ["trade", "trade-shared"] {
        let (status, said) = run_self(operations);
        if said.contains("not supported") {
            return harness::skip("this kernel can't forbid system calls");
        }
        assert!(said.contains("done"), "{operations}: {status}, by a system call if killed: {said}");
    }
    let (status, said) = run_self("twin");
    assert!(!status.success() && !said.contains("done"), "a system call went through");
}

#[cfg(not(target_os = "linux"))]
fn hot_operations_make_no_system_call() {
    harness::skip("only Linux can forbid system calls");
}

fn hot_operations_never_block() {
    #[cfg(target_os = "linux")]
    let breakers = [breaker_for("trade"), breaker_for("trade-shared")];
    #[cfg(not(target_os = "linux"))]
    let breakers = [Breaker::new(config()).expect("a legal config")];
    for mut breaker in breakers {
        let (gate, mut lane) = (breaker.gate(), breaker.lane());
        assert!(trade(&mut breaker, &gate, &mut lane), "not every state was seen");
    }
    if cfg!(rtsan) {
        let (status, said) = run_self("allocate");
        assert!(!status.success() && said.contains("RealtimeSanitizer"), "an allocation went through: {said}");
    }
}

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("allocate") => assert_eq!(allocate(), 100_000),
        #[cfg(target_os = "linux")]
        Some(operations @ ("trade" | "trade-shared" | "twin")) => run_without_system_calls(operations),
        _ => {
            return harness::run(&[
                ("hot_operations_make_no_system_call", hot_operations_make_no_system_call),
                ("hot_operations_never_block", hot_operations_never_block),
            ]);
        }
    }
    ExitCode::SUCCESS
}
