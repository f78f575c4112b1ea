//! The C API and its C++ wrapper, tried from C and C++ with `$CC` and `$CXX`: the programs in `tests/c`. What a breaker decides is tested
//! in `tests/conformance`, the headers in `c_headers.rs`. Here is what belongs to a language.
//!
//! The programs are compiled with `$CFLAGS` and `$CXXFLAGS`, and run by `$RUNNER`, if these are set:
//!
//! ```text
//! CFLAGS="-g -fsanitize=address,undefined" CXXFLAGS="-g -fsanitize=address,undefined" cargo test --test c_api
//! RUNNER="valgrind -q --error-exitcode=9 --leak-check=full" cargo test --test c_api
//! ```
//!
//! (Set them only for this test and for `conformance`: dependencies of other programs compile their own C with the same flags.)

mod compiler;
mod languages;
mod prefix;

use compiler::compiler;
use languages::{C, CPP, Language, ROOT, run, scratch, source, words};
use prefix::prefix;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use trip99::shared::Options;
use trip99::{Breaker, Config, Observer, Resumed, Start};

fn write(name: &str, text: &str) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, text).unwrap();
    path
}

/// Compiles and runs a program in `tests/c` by each of the standards.
fn program(language: &Language, standards: &[&str], name: &str) {
    let file = source(name, language);
    for standard in standards {
        run(&mut language.program(standard, name, std::slice::from_ref(&file)));
    }
}

#[test]
fn clock() {
    program(&C, &["c99"], "clock");
}

#[test]
fn reports() {
    program(&C, &["c99"], "reports");
}

#[test]
fn arguments() {
    program(&C, &["c99"], "arguments");
}

#[test]
fn latencies() {
    program(&C, &["c99"], "latencies");
}

/// Rust tells the programs what it makes of some thresholds, as hashes of all settings.
#[test]
fn settings() {
    const THRESHOLDS: [u64; 6] = [1, 199_999_999, 200_000_001, 5_000_000_000, 1 << 62, (1 << 63) - 1];
    let hash = |ns: u64| Config::for_threshold(Duration::from_nanos(ns)).stable_hash().to_string();
    let expected = THRESHOLDS.map(|ns| [ns.to_string(), hash(ns)]).concat();
    let directory = scratch("settings");
    fs::create_dir_all(&directory).unwrap();
    for (language, standards) in [(C, &["c99"][..]), (CPP, CPP.standards)] {
        for standard in standards {
            let mut program = language.program(standard, "settings", &[source("settings", &language)]);
            run(program.arg(&directory).args(&expected));
        }
    }
}

#[test]
fn versions() {
    let directory = scratch("versions");
    fs::create_dir_all(&directory).unwrap();
    run(C.program("c99", "versions-of-structs", &[source("versions", &C)]).arg(directory));
}

#[test]
fn threads() {
    program(&C, &["c99"], "threads");
}

#[test]
fn lanes() {
    program(&C, &["c99"], "lanes");
    program(&CPP, CPP.standards, "lanes");
}

#[test]
fn gates() {
    program(&C, &["c99"], "gates");
    program(&CPP, CPP.standards, "gates");
}

#[test]
fn holders() {
    program(&C, &["c99"], "holders");
}

/// Rust owns a page, and each language reads the notes of the others.
#[test]
fn each_language_sees_the_halts_of_the_others() {
    let folder = PathBuf::from(format!("/dev/shm/test-trip99-languages-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let (path, options) = (folder.join("page"), Options::default().state_dir(folder.join("state")));
    // The owner is silent while compilers are at work.
    let config = Config { owner_timeout_ns: 0, ..Config::default() };
    let mut breaker = Breaker::create_shared_with(&path, config, Start::Closed, &options).unwrap();
    let observer = Observer::open(&path).unwrap();
    for (language, standard) in [(C, "c99"), (CPP, "c++14")] {
        let program = || language.program(standard, "halts", &[source("shared", &language)]);
        let reason = format!("from Rust to {}", language.extension);
        breaker.halt(&reason);
        run(program().arg("see-halt").arg(&path).arg(&reason)); // and resumes in the engine's name
        assert!(breaker.allow() && !observer.is_halted());

        let reason = format!("from {} to Rust", language.extension);
        run(program().arg("halt-by-gate").arg(&path).arg(&reason));
        assert!(!breaker.allow() && observer.is_halted());
        let note = observer.halt_note().expect("there was a halt");
        assert_eq!(note.reason, reason);
        assert_ne!(note.pid, std::process::id());
        assert_eq!(breaker.resume(""), Resumed::NotHeld, "it is the other's");
        let holder = note.holder.expect("a name");
        assert_eq!(breaker.resume_as_at(breaker.now_ns(), holder, ""), Resumed::Done);
    }
    drop(breaker);
    // The warden's other thread may be in the folder for a moment.
    while fs::remove_dir_all(&folder).is_err() {}
}

#[test]
fn traders() {
    program(&C, &["c99"], "traders");
}

#[test]
fn shared() {
    program(&C, &["c99"], "shared");
    program(&CPP, CPP.standards, "shared");
}

#[test]
fn pages() {
    program(&C, &["c99"], "pages");
}

#[test]
fn supervisor() {
    program(&C, &["c99"], "supervisor");
    program(&CPP, CPP.standards, "supervisor");
}

#[test]
fn misuse() {
    program(&C, &["c99"], "misuse");
    program(&CPP, CPP.standards, "misuse");
}

/// Links the program with the static library, as users do. (Left out if the programs are watched in another way already.)
#[test]
fn misuse_is_clean_under_the_address_sanitizer() {
    const SANITIZER: [&str; 2] = ["-g", "-fsanitize=address"];
    for (language, standard) in [(C, "c99"), (CPP, "c++14")] {
        let probe = write(&format!("probe.{}", language.extension), "int main(void) { return 0; }\n");
        let mut command = compiler(language.compiler);
        let has_sanitizer = command
            .args(SANITIZER)
            .arg(probe)
            .arg("-o")
            .arg(scratch("probe"))
            .output()
            .is_ok_and(|it| it.status.success());
        if !words("RUNNER").is_empty() || words(language.flags).iter().any(|flag| flag.contains("sanitize")) {
            return;
        }
        if !has_sanitizer {
            eprintln!("skipped: {} has no address sanitizer", language.compiler);
            return;
        }
        let file = Path::new(ROOT).join("tests/c/misuse").with_extension(language.extension);
        let program = scratch(&format!("misuse-static-{}", language.extension));
        let mut command = language.compile(standard);
        command.args(SANITIZER).arg(file).arg("-o").arg(&program).arg("-pthread").args(static_library(prefix()));
        run(&mut command);
        run(&mut Command::new(program));
    }
}

/// What a program must link to use the static library.
fn static_library(prefix: &Path) -> Vec<String> {
    let libdir = prefix.join("lib");
    let facts = fs::read_to_string(libdir.join("pkgconfig/trip99-static.pc")).unwrap();
    let libraries = facts.lines().find_map(|line| line.strip_prefix("Libs: ")).expect("its libraries");
    libraries.split_whitespace().map(|word| word.replace("${libdir}", libdir.to_str().expect("a path"))).collect()
}

/// A checked library says who did what, and ends the process.
#[test]
fn checked_libraries_abort_on_use_from_a_wrong_thread() {
    let checked = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix_checked");
    let mut installer = prefix::installer();
    // It is built in a directory of its own, as the ordinary library may be built at the same time. What it says is the same however
    // fast it is, so it is built soon.
    installer.args(["--checked", "--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/capi_checked")]);
    installer.envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")]);
    let output = installer.arg("--prefix").arg(&checked).output().expect("install.sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = scratch("checked");
    let mut command = C.compile("c99");
    command.arg(Path::new(ROOT).join("tests/c/checked.c")).arg("-o").arg(&program).arg("-pthread");
    run(command.args(static_library(&checked)));

    for legal in ["fresh", "legal"] {
        run(Command::new(&program).arg(legal));
    }
    let (threads, lent) = ("but it is thread ", "while a supervisor owns it (before, it was thread ");
    for (wrong, who) in [
        ("thread", threads),
        ("destroy", threads),
        ("hand_over", threads),
        ("gate", threads),
        ("start", threads),
        ("lent_poll", lent),
        ("lent_abandon", lent),
        ("lent_reconfigure", lent),
        ("lent_gate", lent),
        ("lent_config", lent),
        ("lent_snapshot", lent),
        ("lent_halt_at", lent),
        ("lent_destroy", lent),
    ] {
        let output = Command::new(&program).arg(wrong).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(6), "{wrong} aborts: {}\n{said}", output.status);
        let begins = "trip99: an owner's function of breaker 0x";
        assert!(said.starts_with(begins) && said.contains(" was called by thread "), "{wrong}: {said}");
        assert!(said.contains(who) && said.contains("cb_hand_over") && said.lines().count() == 1, "{wrong}: {said}");
    }
}

#[test]
fn wrapper() {
    program(&CPP, CPP.standards, "wrapper");
}

/// Under all warnings, those of missing initialisers among them.
#[test]
fn initialisers_set_the_size_and_nothing_else() {
    let mut text = String::from("#include <trip99.h>\n#include <string.h>\n");
    let mut body = String::new();
    for name in ["cb_snapshot", "cb_event", "cb_owner", "cb_halt_note", "cb_comes_back"] {
        let init = format!("{}_INIT", name.to_uppercase());
        text += &format!("static {name} of_{name} = {init};\n");
        body += &format!("{{ {name} it = {init}; if (memcmp(&it, &of_{name}, sizeof it) != 0) return 1; }}\n");
        body += &format!("if (of_{name}.struct_size != sizeof of_{name}) return 2;\n");
        body += &format!("of_{name}.struct_size = 0;\n");
        body += &format!("for (i = 0; i < sizeof of_{name}; i++) {{\n");
        body +=
            &format!("    unsigned char byte; memcpy(&byte, bytes(&of_{name}) + i, 1); if (byte != 0) return 3; }}\n");
    }
    text += "static const char *bytes(const void *it);\n";
    text += "static const char *bytes(const void *it) { return (const char *)it; }\n";
    text += &format!("int main(void) {{ size_t i;\n{body}return 0; }}\n");
    for language in [C, CPP] {
        let text = text.replace(
            "(const char *)it",
            if language.extension == "c" { "it" } else { "static_cast<const char *>(it)" },
        );
        let file = write(&format!("initialisers.{}", language.extension), &text);
        for standard in language.standards {
            run(&mut language.program(standard, "initialisers", std::slice::from_ref(&file)));
        }
    }
}
