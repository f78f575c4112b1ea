//! What compilers make of the headers, by `$CC` and `$CXX`: each header by itself, layouts, the gate's code, warnings, and the snippets in
//! the docs. What programs do that use them is tested in `c_api.rs`.

mod compiler;
#[path = "../build/header.rs"]
mod header;
mod languages;
mod prefix;

use compiler::compiler;
use languages::{C, CPP, Language, ROOT, run, scratch, source};
use prefix::prefix;
use std::fs;
use std::path::{Path, PathBuf};
use trip99::ffi;

const HEADERS: [(&str, Language); 18] = [
    ("trip99.h", C),
    ("trip99.h", CPP),
    ("trip99.hpp", CPP),
    ("trip99_shared.hpp", CPP),
    ("trip99_supervisor.hpp", CPP),
    ("trip99/language.hpp", CPP),
    ("trip99/values.hpp", CPP),
    ("trip99/error.hpp", CPP),
    ("trip99/duration.hpp", CPP),
    ("trip99/config.hpp", CPP),
    ("trip99/events.hpp", CPP),
    ("trip99/tap.hpp", CPP),
    ("trip99/observer.hpp", CPP),
    ("trip99/gate.hpp", CPP),
    ("trip99/scoped_call.hpp", CPP),
    ("trip99/lane.hpp", CPP),
    ("trip99/shared_options.hpp", CPP),
    ("trip99/breaker.hpp", CPP),
];

/// A header's name as a part of a file's.
fn flat(header: &str) -> String {
    header.replace('/', "-")
}

fn write(name: &str, text: &str) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, text).unwrap();
    path
}

/// Whether other headers include it, so that few users do.
fn is_part(header: &str) -> bool {
    header.contains('/')
}

fn twice(header: &str) -> String {
    format!("#include <{header}>\n#include <{header}>\n")
}

#[test]
fn every_header_is_tested() {
    let names = |directory: &str| {
        let entries =
            fs::read_dir(Path::new(ROOT).join("include").join(directory)).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.path().is_file());
        files.map(|entry| format!("{directory}{}", entry.file_name().display())).collect::<Vec<_>>()
    };
    // `.ci/cpp` compiles the one that needs QuickFIX.
    for name in [names(""), names("trip99/")].concat().into_iter().filter(|name| name != "trip99_quickfix.hpp") {
        assert!(HEADERS.iter().any(|(header, _)| *header == name), "{name} isn't in HEADERS");
    }
}

#[test]
fn parts_compile_alone_and_may_be_included_twice() {
    for (header, language) in HEADERS.iter().filter(|(header, _)| is_part(header)) {
        let file = write(&format!("part-{}.{}", flat(header), language.extension), &twice(header));
        for standard in language.standards {
            run(language.compile(standard).arg("-fsyntax-only").arg(&file));
        }
    }
}

/// What a part defines is in the whole headers, too.
#[test]
fn whole_headers_may_be_included_twice_and_from_two_files_of_a_program() {
    for (header, language) in HEADERS.iter().filter(|(header, _)| !is_part(header)) {
        let name = format!("twice-{}", flat(header));
        let twice = format!("{}int other(void);\n", twice(header));
        let one = format!("{twice}int main(void) {{ return cb_abi_version() == CB_ABI_VERSION ? other() : 1; }}\n");
        let gate = "static const cb_gate gate = {0};";
        let other = format!("{twice}{gate}\nint other(void) {{ return cb_gate_closed(&gate) ? 0 : 1; }}\n");
        let files = [("one", one), ("other", other)]
            .map(|(part, text)| write(&format!("{name}-{part}.{}", language.extension), &text));
        for standard in language.standards {
            run(&mut language.program(standard, &format!("{name}-{}", language.extension), &files));
        }
    }
}

/// Asserts in C of what Rust's compiler says. The patterns without `..` make the lists complete.
macro_rules! layout {
    (structs { $($struct:ident { $($field:ident),* })* } enums { $($enum:ident { $($value:ident),* })* }) => {{
        let mut asserts = Vec::new();
        $(
            let _ = |ffi::$struct { $($field: _),* }: ffi::$struct| ();
            let name = stringify!($struct);
            asserts.push(format!("sizeof({name}) == {}", size_of::<ffi::$struct>()));
            asserts.push(format!("alignof({name}) == {}", align_of::<ffi::$struct>()));
            $(
                let field = stringify!($field);
                let offset = std::mem::offset_of!(ffi::$struct, $field);
                asserts.push(format!("offsetof({name}, {field}) == {offset}"));
                asserts.push(format!("sizeof((({name} *)0)->{field}) == {}", size_of_field(|all: &ffi::$struct| &all.$field)));
            )*
        )*
        $(
            let _ = |value: ffi::$enum| match value { $(ffi::$enum::$value => ()),* };
            $(asserts.push(format!("{} == {}", stringify!($value), ffi::$enum::$value as u32));)*
        )*
        asserts
    }};
}

fn size_of_field<S, F>(_: impl Fn(&S) -> &F) -> usize {
    size_of::<F>()
}

#[test]
fn rust_and_c_agree_on_sizes_offsets_and_values() {
    let mut asserts = layout! {
        structs {
            cb_config {
                struct_size, quantile_ppm, threshold_ns, window_age_ns, window_len, sample_every, min_samples,
                confirm_verdicts, failure_rate_ppm, consecutive_failures, spike_limit_ns, spike_count, max_in_flight,
                stall_limit_ns, recover_threshold_ns, recovery, probes, trials_in_flight, backoff_multiplier,
                probe_timeout_ns, backoff_base_ns, backoff_max_ns, jitter_ppm, start, jitter_seed, stable_after_ns,
                shadow, latch_after, owner_timeout_ns, min_slow, debt_limit, tap_len, reserved
            }
            cb_snapshot {
                struct_size, state, halted, shadow, armed, reserved, clock, now_ns, epoch_ns, retry_at_ns, attempt,
                samples, slow, failures, overdue, in_flight, trials_granted, trials_out, trials_good, reserved2,
                recorded, stale, untracked, refused, refused_in_shadow, misused, dropped, events,
                debt_ppm, oldest_start_ns
            }
            cb_event {
                struct_size, from, to, reason, sequence, t_ns, wall_ns, quantile_ns, retry_at_ns, owner_gap_ns,
                samples, slow, overdue, failures, attempt, by_debt, observed, limit, entry,
                settings_before, settings_after
            }
            cb_tap_row { struct_size, kind, start_ns, latency_ns, ok, reserved }
            cb_call { start_ns, id }
            cb_owner { struct_size, pid, alive, memory_locked, reserved, started, seen_ago_ns }
            cb_comes_back {
                struct_size, state, pause_left_ns, halted, reserved, reserved2, holder_count, holders
            }
            cb_shared_options { struct_size, warden, group, state_dir, now_ns }
            cb_halt_note { struct_size, uid, pid, login_uid, wall_ns, reason, entry, holder, host }
        }
        enums {
            cb_status_value {
                CB_STATUS_OK, CB_STATUS_NULL_POINTER, CB_STATUS_STRUCT_SIZE, CB_STATUS_OUT_OF_RANGE,
                CB_STATUS_FIXED_SETTING, CB_STATUS_UNKNOWN_SETTING, CB_STATUS_INTERNAL, CB_STATUS_SHARED_BUSY,
                CB_STATUS_SHARED_REFUSED, CB_STATUS_IO, CB_STATUS_BAD_NAME, CB_STATUS_NOT_NOW, CB_STATUS_NOT_DURABLE,
                CB_STATUS_ODD_PAGE, CB_STATUS_BAD_SETTINGS
            }
            cb_halt_result_value { CB_HALT_DONE, CB_HALT_NO_OWNER, CB_HALT_REPLACED, CB_HALT_ENDED }
            cb_resume_result_value {
                CB_RESUME_DONE, CB_RESUME_STILL_HELD, CB_RESUME_NOT_HELD, CB_RESUME_CHANGED, CB_RESUME_NO_OWNER,
                CB_RESUME_ENDED
            }
            cb_state_value { CB_STATE_CLOSED, CB_STATE_OPEN, CB_STATE_HALF_OPEN }
            cb_start_value { CB_START_CLOSED, CB_START_HALF_OPEN, CB_START_HALTED }
            cb_started_value { CB_STARTED_PRIVATE, CB_STARTED_NEW, CB_STARTED_CLEAN, CB_STARTED_UNCLEAN }
            cb_recovery_value { CB_RECOVERY_TRIALS, CB_RECOVERY_HEALTH_CHECKS }
            cb_clock_value { CB_CLOCK_TSC, CB_CLOCK_MONOTONIC }
            cb_reason_value {
                CB_REASON_LATENCY, CB_REASON_FAILURE_RATE, CB_REASON_CONSECUTIVE_FAILURES, CB_REASON_SPIKE,
                CB_REASON_STALL, CB_REASON_RETRY, CB_REASON_PROBE_FAILED, CB_REASON_PROBE_SLOW, CB_REASON_PROBE_LOST,
                CB_REASON_RECOVERED, CB_REASON_HALT, CB_REASON_RESUME, CB_REASON_RESTART, CB_REASON_TRIPPED,
                CB_REASON_RECONFIGURED, CB_REASON_OWNER_SILENT, CB_REASON_OWNER_BACK, CB_REASON_CLOCK_JUMPED,
                CB_REASON_LATCHED
            }
            cb_tap_kind_value {
                CB_TAP_ASK, CB_TAP_FREE, CB_TAP_WITHDRAWN, CB_TAP_REFUSED, CB_TAP_LATE, CB_TAP_RESTART
            }
        }
    };
    let sizes = [
        ("cb_gate", size_of::<ffi::cb_gate>()), // its field is private in Rust
        ("cb_status", size_of::<ffi::cb_status>()),
        ("cb_state", size_of::<ffi::cb_state>()),
        ("cb_start", size_of::<ffi::cb_start>()),
        ("cb_started", size_of::<ffi::cb_started>()),
        ("cb_recovery", size_of::<ffi::cb_recovery>()),
        ("cb_clock", size_of::<ffi::cb_clock>()),
        ("cb_reason", size_of::<ffi::cb_reason>()),
        ("cb_tap_kind", size_of::<ffi::cb_tap_kind>()),
        ("cb_halt_result", size_of::<ffi::cb_halt_result>()),
        ("cb_resume_result", size_of::<ffi::cb_resume_result>()),
    ];
    asserts.extend(sizes.map(|(name, size)| format!("sizeof({name}) == {size}")));
    asserts.push(format!("CB_ABI_VERSION == {}", ffi::CB_ABI_VERSION));

    let head = "#include <trip99.h>\n#include <assert.h>\n#include <stdalign.h>\n";
    let body: String = asserts.iter().map(|assert| format!("static_assert({assert}, \"{assert}\");\n")).collect();
    for (language, standard) in [(C, "c11"), (CPP, "c++14")] {
        let file = write(&format!("layout.{}", language.extension), &format!("{head}{body}"));
        // The casts of 0 are fine within sizeof.
        let quiet = if language.extension == "cpp" {
            &["-Wno-old-style-cast", "-Wno-zero-as-null-pointer-constant"][..]
        } else {
            &[]
        };
        run(language.compile(standard).args(quiet).arg("-fsyntax-only").arg(&file));
    }
}

/// The instruction that loads one byte, and the mark of a memory access in a function whose argument is the address.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const BYTE_LOADS: (&[&str], char) = if cfg!(target_arch = "x86_64") {
    (&["movzbl (%rdi), %", "movb (%rdi), %", "cmpb $0, (%rdi)"], '(')
} else {
    (&["ldrb"], '[')
};

/// Compiled without sanitizers, as they would add code of their own.
#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn the_gate_is_one_load_of_one_byte() {
    let (loads, memory) = BYTE_LOADS;
    for (header, language) in HEADERS.iter().filter(|(header, _)| !is_part(header)) {
        let linkage = if language.extension == "cpp" { "extern \"C\" " } else { "" };
        let signature = format!("{linkage}bool passes(const cb_gate *gate)");
        let text = format!("#include <{header}>\n{signature};\n{signature} {{ return cb_gate_closed(gate); }}\n");
        let file = write(&format!("gate-{}.{}", flat(header), language.extension), &text);
        let assembly = file.with_extension("s");
        for standard in language.standards {
            let mut command = compiler(language.compiler);
            command.arg(format!("-std={standard}")).arg("-I").arg(prefix().join("include"));
            run(command.args(["-O2", "-S", "-o"]).arg(&assembly).arg(&file));
            let assembly = fs::read_to_string(&assembly).unwrap();
            let body = assembly.lines().skip_while(|line| *line != "passes:" && !line.starts_with("passes: "));
            let code: Vec<String> = body
                .skip(1)
                .map(|line| line.split('#').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
                .filter(|line| !line.is_empty() && !line.starts_with('.') && !line.ends_with(':'))
                .take_while(|line| !line.starts_with("ret"))
                .collect();
            let accesses: Vec<_> = code.iter().filter(|line| line.contains(memory)).collect();
            assert!(accesses.len() == 1 && loads.iter().any(|load| accesses[0].starts_with(load)), "{assembly}");
            // There is a compare, too, and a move of its outcome to the place of the result. There is no jump, call, lock or fence.
            let idle = ["movzbl", "test", "cmp", "set", "xor", "endbr64", "cset", "and", "tst", "bti"];
            let rest = code.iter().filter(|line| !line.contains(memory));
            assert!(rest.clone().all(|line| idle.iter().any(|op| line.starts_with(op))), "{code:?}");
            assert!((1..=4).contains(&rest.count()), "{code:?}");
        }
    }
}

/// The functions that the header declares: the names before a parenthesis, outside of comments.
fn functions(header: &str) -> Vec<String> {
    let outside = |part: &str| part.split_once("*/").map_or(part.to_owned(), |(_, code)| code.to_owned());
    let code: String = header.split("/*").map(outside).collect();
    let is_name = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
    code.split('(')
        .filter_map(|before| before.rsplit(|byte| !is_name(byte)).next())
        .filter(|name| name.starts_with("cb_"))
        .map(str::to_owned)
        .collect()
}

/// What each function that the header declares returns, and whether that must be used.
fn results(header: &str) -> Vec<(String, String, bool)> {
    let code = header.rsplit_once("extern \"C\" {").expect("functions").1;
    let declarations = code
        .split(';')
        .filter_map(|part| part.rsplit_once("*/").map(|(_, code)| code.trim()))
        .filter(|code| !code.is_empty());
    let split = |declaration: &str| {
        let (must_be_used, rest) = match declaration.strip_prefix("CB_MUST_USE") {
            Some(rest) => (true, rest.trim()),
            None => (false, declaration),
        };
        let before = rest.split_once('(').expect("a function").0;
        let (result, name) = before.rsplit_once([' ', '*']).expect("a result and a name");
        (result.trim().to_owned(), name.to_owned(), must_be_used)
    };
    declarations.map(split).collect()
}

/// As in Rust, where `Result`, tickets and `allow` are `must_use`; and whether an out-structure was filled.
#[test]
fn every_status_ticket_and_answer_must_be_used() {
    let results = results(include_str!("../include/trip99.h"));
    assert_eq!(results.len(), functions(include_str!("../include/trip99.h")).len() - 1, "all but the inline one");
    for (result, name, must_be_used) in results {
        let matters = match result.as_str() {
            "cb_status" | "struct cb_call" => true,
            "bool" => {
                !["_is_halted", "_is_unwatched", "_is_replaced", "_has_moved"].iter().any(|is| name.ends_with(is))
            }
            // What cb_why returns tells little more than the text.
            "size_t" => ["_holders", "_place", "_warning"].iter().any(|list| name.ends_with(list)),
            _ => false,
        };
        assert_eq!(must_be_used, matters, "{result} {name}");
    }
}

#[test]
fn compilers_warn_of_a_dropped_result() {
    let in_c = "cb_create(config, breaker)";
    let parameters = "const cb_config *config, cb_breaker **breaker";
    let in_cpp = "(*breaker).begin()";
    for (header, parameters, call, language, standards) in [
        ("trip99.h", parameters, in_c, C, C.standards),
        ("trip99.h", parameters, in_c, CPP, CPP.standards),
        ("trip99.hpp", "trip99::Breaker *breaker", in_cpp, CPP, CPP.standards),
    ] {
        let signature = format!("int use({parameters})");
        let program = |statement: &str| {
            let text = format!("#include <{header}>\n{signature};\n{signature} {{ {statement} return 0; }}\n");
            write(&format!("dropped-{}.{}", flat(header), language.extension), &text)
        };
        for standard in standards {
            let used = if language.extension == "c" {
                format!("cb_status status = {call}; if (status != CB_STATUS_OK) return 1;")
            } else {
                format!("const auto result = {call}; static_cast<void>(result);")
            };
            // Not by -fsyntax-only: gcc notices this later.
            let compile = |file: PathBuf| {
                let mut command = language.compile(standard);
                command.args(["-S", "-o", "/dev/null"]).arg(file);
                command
            };
            run(&mut compile(program(&used)));
            let output = compile(program(&format!("{call};"))).output().expect("it runs");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && errors.contains("unused-result"), "{header} {standard}: {errors}");
        }
    }
}

/// Languages that are too old are told what is needed.
#[test]
fn an_old_language_is_an_error_that_names_the_one_needed() {
    for (header, language, standard, needed) in [
        ("trip99.h", C, "c89", "trip99.h needs C99 or newer: compile with -std=c99"),
        ("trip99.h", CPP, "c++98", "trip99.h needs C++11 or newer: compile with -std=c++11"),
        ("trip99.hpp", CPP, "c++11", "trip99.hpp needs C++14 or newer: compile with -std=c++14"),
        ("trip99/tap.hpp", CPP, "c++11", "trip99.hpp needs C++14 or newer: compile with -std=c++14"),
    ] {
        let file = write(&format!("old-{}.{}", flat(header), language.extension), &twice(header));
        let output = language.compile(standard).arg("-fsyntax-only").arg(file).output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(needed), "{header} {standard}: {errors}");
    }
}

/// What many teams compile with. (clang takes the flag, and does nothing with it.)
#[test]
fn the_wrapper_is_clean_by_effective_cpp() {
    let headers = HEADERS.iter().filter(|(name, _)| name.ends_with(".hpp"));
    let text: String = headers.map(|(name, _)| format!("#include <{name}>\n")).collect();
    let file = write("effective.cpp", &text);
    for standard in CPP.standards {
        run(CPP.compile(standard).args(["-Weffc++", "-fsyntax-only"]).arg(&file));
    }
}

#[test]
fn every_function_is_called() {
    let header = include_str!("../include/trip99.h");
    let programs: String = fs::read_dir(Path::new(ROOT).join("tests/c"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let functions = functions(header);
    assert_eq!(
        functions.len(),
        header.matches(" * Thread: ").count(),
        "each says which thread may call it: {functions:?}"
    );
    for function in functions {
        assert!(programs.contains(&format!("{function}(")), "no program in tests/c calls {function}");
    }
}

#[test]
fn the_header_is_what_cbindgen_makes_of_the_rust_source() {
    let mut generated = Vec::new();
    header::generate(Path::new(ROOT)).write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();
    assert!(
        generated == include_str!("../include/trip99.h"),
        "include/trip99.h is stale: run `cargo build --features header`"
    );
}

#[test]
fn the_snippets_in_the_docs_compile_as_they_stand() {
    let docs = include_str!("../docs/cpp.md");
    for (language, standard, file, mark, names) in [
        (CPP, "c++14", "hot_loop", "```cpp\n", &["hot_loop.inc", "settings.inc", "traders.inc"][..]),
        (
            C,
            "c99",
            "docs",
            "```c\n",
            &["gate.inc", "settings.inc", "snapshot.inc", "halts.inc", "shared.inc", "supervisor.inc"][..],
        ),
    ] {
        let snippets = docs.split(mark).skip(1).map(|rest| rest.split("```").next().expect("its end"));
        let directory = scratch("docs");
        fs::create_dir_all(&directory).unwrap();
        assert_eq!(snippets.clone().count(), names.len(), "snippets in {}", language.extension);
        for (name, snippet) in names.iter().zip(snippets) {
            fs::write(directory.join(name), snippet).unwrap();
        }
        let mut command = language.compile(standard);
        run(command.args(["-S", "-o", "/dev/null", "-I"]).arg(directory).arg(source(file, &language)));
    }
}

#[test]
fn the_readmes_snippet_compiles_as_it_stands() {
    let readme = include_str!("../README.md");
    let snippet = readme.split("```cpp\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a snippet");
    let file = write("readme.cpp", snippet);
    for standard in CPP.standards {
        run(CPP.compile(standard).arg("-fsyntax-only").arg(&file));
    }
}

#[test]
fn the_wrapper_compiles_without_exceptions_and_rtti() {
    let main = scratch("no_exceptions.cpp");
    let headers: String = HEADERS
        .iter()
        .filter(|(name, _)| name.ends_with(".hpp"))
        .map(|(name, _)| format!("#include <{name}>\n"))
        .collect();
    let text = format!("{headers}int main() {{ return trip99::Breaker().allow() ? 0 : 1; }}\n");
    fs::write(&main, text).unwrap();
    let mut command = CPP.compile("c++14");
    run(command.args(["-fno-exceptions", "-fno-rtti", "-fsyntax-only"]).arg(main));
}
