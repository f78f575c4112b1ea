//! What `cmake/install.sh` installs, as C and C++ users meet it: files, symbols, link lines, CMake and pkg-config. The tests have
//! a harness that can skip them, as the tools may be missing.

mod compiler;
mod harness;
mod prefix;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::{env, fs};

use compiler::compiler;
use prefix::{installer, prefix};

/// Where the installer under test builds.
const BUILT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/capi");

/// A program that uses a breaker, and prints the version and the ABI of the library that it found.
const MAIN_C: &str = r#"
#include <trip99.h>
#include <stdio.h>

int main(void) {
    cb_breaker *breaker;
    if (cb_create(NULL, &breaker) != CB_STATUS_OK) return 1;
    if (!cb_gate_closed(cb_gate_of(breaker)) || !cb_allow(breaker)) return 1;
    cb_end(breaker, cb_begin(breaker));
    cb_halt(breaker);
    if (cb_allow(breaker)) return 1;
    cb_destroy(breaker);
    printf("%s %u\n", cb_version_text(), (unsigned)cb_abi_version());
    return 0;
}
"#;

/// The same program in C++. It also throws through a frame that calls the library.
const MAIN_CPP: &str = r#"
#include <trip99.h>
#include <cstdio>
#include <stdexcept>

__attribute__((noinline)) static void ask(cb_breaker *breaker) {
    cb_poll(breaker);
    if (cb_allow(breaker)) throw std::runtime_error("allowed");
}

int main() {
    cb_breaker *breaker;
    if (cb_create(nullptr, &breaker) != CB_STATUS_OK) return 1;
    try {
        ask(breaker);
        return 1;
    } catch (const std::runtime_error &) {
        cb_destroy(breaker);
    }
    std::printf("%s %u\n", cb_version_text(), static_cast<unsigned>(cb_abi_version()));
    return 0;
}
"#;

/// A Rust library of somebody else. It uses the standard library: it formats, panics and catches, in two threads.
const OTHER_RS: &str = r#"
#![crate_type = "staticlib"]

#[unsafe(no_mangle)]
pub extern "C" fn NAME() -> i32 {
    std::panic::set_hook(Box::new(|_| ()));
    let here = std::panic::catch_unwind(|| panic!("{}", format!("{:?}", [1, 2])));
    let there = std::thread::spawn(|| panic!()).join();
    here.unwrap_err().downcast_ref::<String>().is_some_and(|text| text == "[1, 2]") as i32 + there.is_err() as i32
}
"#;

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a command that must succeed without a warning, and returns what it printed.
fn ok(command: &mut Command) -> String {
    let output = run(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// Whether a tool is there. If it isn't, says what isn't tested.
fn have(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        harness::skip(&format!("no {tool}"));
    }
    found
}

/// Makes an empty directory for one test.
fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_install").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("a directory of ours");
    }
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    fs::write(&file, text).expect("a file");
    file
}

/// Every file and link below a directory, as paths from there.
fn files(directory: &Path) -> BTreeSet<String> {
    let find = ok(Command::new("find").args([".", "!", "-type", "d"]).current_dir(directory));
    find.lines().map(|line| line.trim_start_matches("./").to_string()).collect()
}

fn header() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/include/trip99.h")).expect("the header")
}

/// The functions that the header declares, but for the inline one.
fn declared() -> BTreeSet<String> {
    let header = header();
    let code = header.lines().filter(|line| !line.starts_with([' ', '/', '#']));
    let names = code.filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next().map(str::to_string));
    names.filter(|name| name.starts_with("cb_") && name != "cb_gate_closed").collect()
}

/// The names in the output of nm: the last column of its lines of three.
fn symbols(nm: &mut Command) -> BTreeSet<String> {
    let lines = ok(nm);
    let names = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    names.filter(|columns| columns.len() == 3).map(|columns| columns[2].to_string()).collect()
}

fn abi() -> String {
    let header = header();
    let line = header.lines().find_map(|line| line.strip_prefix("#define CB_ABI_VERSION ")).expect("in the header");
    line.to_string()
}

/// What the two programs print.
fn greeting() -> String {
    format!("{} {}\n", env!("CARGO_PKG_VERSION"), abi())
}

/// The words that pkg-config gives.
fn pkg_config(libdir: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", libdir.join("pkgconfig")).args(arguments);
    ok(&mut command).split_whitespace().map(str::to_string).collect()
}

/// The static library as rustc leaves it, and what rustc says that its user links besides.
fn raw_archive() -> (PathBuf, Vec<String>) {
    prefix(); // builds the library, so that cargo only repeats what rustc said
    let facts = ok(Command::new(env!("CARGO")).arg("-vV"));
    let host = facts.lines().find_map(|line| line.strip_prefix("host: ")).expect("a triple");
    let output = run(Command::new(env!("CARGO"))
        .args([
            "rustc",
            "--release",
            "--lib",
            "--features",
            "ffi,shm",
            "--locked",
            "--color",
            "never",
            "--target",
            host,
        ])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--target-dir", BUILT])
        .args(["--crate-type", "staticlib", "--", "--print", "native-static-libs"])
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS"));
    let said = String::from_utf8_lossy(&output.stderr);
    let list = said.lines().find_map(|line| line.strip_prefix("note: native-static-libs: ")).expect("the note");
    let list = list.split_whitespace().map(str::to_string).collect();
    (Path::new(BUILT).join(host).join("release/libtrip99.a"), list)
}

fn a_staged_tree_is_complete_and_works_where_it_lies() {
    // The script is called from another directory, with relative paths. What it stages for /opt is used in another place, as if
    // it had been moved.
    let directory = scratch("staged");
    let arguments = ["--prefix", "/opt/trip99", "--libdir=lib/multiarch"];
    let said = ok(installer().args(arguments).current_dir(&directory).env("DESTDIR", "stage"));
    let tree = directory.join("stage/opt/trip99");
    let version = env!("CARGO_PKG_VERSION");
    let libraries =
        ["libtrip99.a", "libtrip99.so", &format!("libtrip99.so.{}", abi()), &format!("libtrip99.so.{version}")]
            .map(|name| format!("lib/multiarch/{name}"));
    let others = [
        "lib/multiarch/cmake/trip99/trip99Config.cmake",
        "lib/multiarch/cmake/trip99/trip99ConfigVersion.cmake",
        "lib/multiarch/pkgconfig/trip99-static.pc",
        "lib/multiarch/pkgconfig/trip99.pc",
        "share/doc/trip99/LICENSE-APACHE",
        "share/doc/trip99/LICENSE-MIT",
    ];
    let headers = files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/include")));
    let headers = headers.iter().map(|name| format!("include/{name}"));
    let expected: BTreeSet<_> = headers.chain(libraries).chain(others.map(str::to_string)).collect();
    assert_eq!(files(&tree), expected);
    for file in &expected {
        assert!(said.lines().any(|line| line.trim().split(' ').next() == Some(file)), "{file} isn't in:\n{said}");
        if !file.contains("libtrip99") {
            let text = fs::read_to_string(tree.join(file)).expect("text");
            assert!(!text.contains("/opt/trip99"), "{file} names its place");
            assert!(!text.contains('@') || !file.starts_with("lib"), "a place is left to fill in {file}:\n{text}");
        }
    }
    let link = |name: &str| fs::read_link(tree.join("lib/multiarch").join(name)).expect("a link");
    assert_eq!(link("libtrip99.so"), Path::new(&format!("libtrip99.so.{}", abi())));
    assert_eq!(link(&format!("libtrip99.so.{}", abi())), Path::new(&format!("libtrip99.so.{version}")));

    if have("pkg-config") {
        check_pkg_config(&tree.join("lib/multiarch"), &directory);
    }
    if have("cmake") {
        let package = format!("-Dtrip99_DIR={}", tree.join("lib/multiarch/cmake/trip99").display());
        check_cmake(&package, &directory.join("cmake"), "C");
    }
}

fn pkg_config_users_get_the_shared_or_the_static_library() {
    if have("pkg-config") {
        check_pkg_config(&prefix().join("lib"), &scratch("pkg_config"));
    }
}

/// Builds both programs by each of pkg-config's answers, and runs them.
fn check_pkg_config(libdir: &Path, directory: &Path) {
    let rpath = format!("-Wl,-rpath,{}", libdir.display());
    let ways: [(&[&str], &[&str], bool); 6] = [
        (&["trip99"], &[&rpath], true),
        (&["--static", "trip99"], &[&rpath], true),
        (&["--static", "trip99"], &["-static"], false),
        (&["trip99-static"], &[], false),
        (&["trip99-static"], &["-Wl,--as-needed", "-static-libgcc"], false),
        (&["trip99-static"], &["-static"], false),
    ];
    for (variable, name, text) in [("CC", "main.c", MAIN_C), ("CXX", "main.cpp", MAIN_CPP)] {
        let source = write(directory, name, text);
        for (modules, flags, shared) in ways {
            let program = directory.join("program");
            let mut line = compiler(variable);
            line.args(flags).arg(&source).arg("-o").arg(&program);
            ok(line.args(pkg_config(libdir, &[&["--cflags", "--libs"], modules].concat())));
            assert_eq!(ok(&mut Command::new(&program)), greeting(), "{line:?}");
            let needed = ok(Command::new("readelf").arg("-dW").arg(&program));
            assert_eq!(needed.contains("libtrip99.so"), shared, "{line:?}:\n{needed}");
        }
    }
    assert_eq!(pkg_config(libdir, &["--modversion", "trip99", "trip99-static"]), [env!("CARGO_PKG_VERSION"); 2]);
}

fn cmake_users_need_no_other_language_than_their_own() {
    if have("cmake") {
        let package = format!("-DCMAKE_PREFIX_PATH={}", prefix().display());
        check_cmake(&package, &scratch("cmake_c"), "C");
        check_cmake(&package, &scratch("cmake_cxx"), "CXX");
    }
}

/// Builds a program in one language with each of the two targets, and runs them. `package` tells CMake where they are.
fn check_cmake(package: &str, directory: &Path, language: &str) {
    let version = env!("CARGO_PKG_VERSION");
    let (minor, _) = version.rsplit_once('.').expect("three numbers");
    fs::create_dir_all(directory).expect("a directory");
    write(directory, "main.c", MAIN_C);
    write(directory, "main.cpp", MAIN_CPP);
    let source = if language == "C" { "main.c" } else { "main.cpp" };
    let lists = format!(
        "cmake_minimum_required(VERSION 3.16)
         project(consumer {language})
         find_package(trip99 {minor} REQUIRED)
         find_package(trip99 REQUIRED) # again, as two parts of a program would
         add_executable(with_shared {source})
         target_link_libraries(with_shared PRIVATE trip99::shared)
         add_executable(with_static {source})
         target_link_libraries(with_static PRIVATE trip99::static)"
    );
    write(directory, "CMakeLists.txt", &lists);
    let build = directory.join("build");
    ok(Command::new("cmake").args([package, "-S"]).arg(directory).arg("-B").arg(&build));
    ok(Command::new("cmake").arg("--build").arg(&build));
    for (program, shared) in [("with_shared", true), ("with_static", false)] {
        assert_eq!(ok(&mut Command::new(build.join(program))), greeting());
        let needed = ok(Command::new("readelf").arg("-dW").arg(build.join(program)));
        assert_eq!(needed.contains(&format!("[libtrip99.so.{}]", abi())), shared, "{program}:\n{needed}");
    }
}

fn cmake_takes_versions_that_are_compatible_by_semantic_versioning() {
    if !have("cmake") {
        return;
    }
    let template = include_str!("../cmake/trip99ConfigVersion.cmake.in");
    let directory = scratch("versions");
    for (installed, wanted, compatible) in [
        ("0.1.2", "0.1", true),
        ("0.1.2", "0.1.2", true),
        ("0.1.2", "0.1.3", false),
        ("0.1.2", "0", true),
        ("0.1.2", "0.2", false),
        ("0.1.2", "1", false),
        ("0.10.0", "0.1", false),
        ("1.4.0", "1", true),
        ("1.4.0", "1.3.7", true),
        ("1.4.0", "1.5", false),
        ("1.4.0", "0.1", false),
        ("10.0.0", "1.0", false),
        ("2.0.0", "1.4", false),
    ] {
        let file = template.replace("@VERSION@", installed);
        let script = format!(
            "set(PACKAGE_FIND_VERSION \"{wanted}\")
             {file}
             message(\"${{PACKAGE_VERSION_COMPATIBLE}} ${{PACKAGE_VERSION_EXACT}}\")"
        );
        let output = run(Command::new("cmake").arg("-P").arg(write(&directory, "version.cmake", &script)));
        let expected =
            format!("{} {}\n", compatible.to_string().to_uppercase(), if installed == wanted { "TRUE" } else { "" });
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected, "{installed} installed, {wanted} wanted");
    }
}

fn both_libraries_define_what_the_header_declares_and_nothing_else() {
    let declared = declared();
    assert!(declared.contains("cb_create") && declared.contains("cb_gate_of") && declared.contains("cb_error_text"));
    let libdir = prefix().join("lib");
    let exported = symbols(Command::new("nm").args(["-D", "--defined-only"]).arg(libdir.join("libtrip99.so")));
    assert_eq!(exported, declared);
    let global = symbols(Command::new("nm").args(["-g", "--defined-only"]).arg(libdir.join("libtrip99.a")));
    assert_eq!(global, declared);
}

/// Cargo.toml has the one version; whatever else tells one has it from there.
fn every_version_is_that_of_cargo_toml() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("the manifest");
    let versions = manifest.lines().filter_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    let versions: Vec<_> = versions.collect();
    let [version] = versions[..] else { panic!("one version in Cargo.toml, not {versions:?}") };

    let define = |name: &str| {
        let header = fs::read_to_string(prefix().join("include/trip99.h")).expect("installed");
        let line = header.lines().find_map(|line| line.strip_prefix(&format!("#define CB_VERSION_{name} ")));
        line.expect("in the header").trim_matches('"').to_string()
    };
    assert_eq!(define("TEXT"), version);
    let numbers = format!("{}.{}.{}", define("MAJOR"), define("MINOR"), define("PATCH"));
    assert_eq!(numbers, version.split(['-', '+']).next().expect("numbers"));

    let libdir = prefix().join("lib");
    let tell = |file: &str, before: &str| {
        let text = fs::read_to_string(libdir.join(file)).expect("installed");
        let line = text.lines().find_map(|line| line.trim().strip_prefix(before).map(str::to_string));
        line.unwrap_or_else(|| panic!("no {before} in {file}")).trim_matches(['"', ')']).to_string()
    };
    assert_eq!(tell("pkgconfig/trip99.pc", "Version: "), version);
    assert_eq!(tell("pkgconfig/trip99-static.pc", "Version: "), version);
    assert_eq!(tell("cmake/trip99/trip99ConfigVersion.cmake", "set(PACKAGE_VERSION "), version);
    assert!(libdir.join(format!("libtrip99.so.{version}")).exists());
    let soname = format!("IMPORTED_LOCATION \"${{_trip99_prefix}}/lib/libtrip99.so.{version}\"");
    let config = fs::read_to_string(libdir.join("cmake/trip99/trip99Config.cmake")).expect("installed");
    assert!(config.contains(&soname), "{config}");

    // The library's own word.
    let directory = scratch("version");
    let text = r#"
#include <trip99.h>
#include <stdio.h>
int main(void) { printf("%s %s\n", cb_version_text(), CB_VERSION_TEXT); return 0; }
"#;
    let program = directory.join("program");
    let mut line = compiler("CC");
    line.arg(write(&directory, "main.c", text)).arg("-I").arg(prefix().join("include")).arg("-L").arg(&libdir);
    ok(line.arg("-ltrip99").arg(format!("-Wl,-rpath,{}", libdir.display())).arg("-o").arg(&program));
    assert_eq!(ok(&mut Command::new(program)), format!("{version} {version}\n"));
}

/// CMakeLists.txt at the top can't ask rustc before it builds.
fn cmake_from_sources_links_what_rustc_says() {
    let config = fs::read_to_string(prefix().join("lib/cmake/trip99/trip99Config.cmake")).expect("text");
    let list = config.lines().find(|line| line.contains("INTERFACE_LINK_LIBRARIES \"-l")).expect("its list").trim();
    let list = list.trim_end_matches(')');
    let sources = include_str!("../CMakeLists.txt");
    assert!(sources.contains(list), "CMakeLists.txt should have {list}");
}

fn no_library_names_a_path_of_its_builder() {
    let home =
        env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo"))).expect("a home");
    for library in ["libtrip99.a", "libtrip99.so"] {
        let bytes = fs::read(prefix().join("lib").join(library)).expect("the library");
        for path in [home.as_str(), env!("CARGO_MANIFEST_DIR")] {
            let found = bytes.windows(path.len()).any(|window| window == path.as_bytes());
            assert!(!found, "{library} has {path}");
        }
    }
}

/// What an older system must have to load it. A new need shows here, and then in docs/cpp.md.
fn the_shared_library_asks_for_no_newer_glibc_than_the_docs_say() {
    let library = prefix().join("lib/libtrip99.so");
    let said = ok(Command::new("objdump").arg("-T").arg(library));
    let version = |text: &str| -> Vec<u32> { text.split('.').filter_map(|part| part.parse().ok()).collect() };
    let needed = said.split("GLIBC_").skip(1).filter_map(|rest| rest.split([')', ' ']).next()).map(version).max();
    assert!(needed.expect("it needs some") <= vec![2, 34], "{said}");
}

fn the_soname_is_the_abi_version() {
    let dynamic = ok(Command::new("readelf").arg("-dW").arg(prefix().join("lib/libtrip99.so")));
    assert!(dynamic.contains(&format!("Library soname: [libtrip99.so.{}]", abi())), "{dynamic}");
}

fn static_users_link_what_rustc_says_but_for_what_every_compiler_adds() {
    let (_, mut expected) = raw_archive();
    assert!(expected.iter().any(|library| library == "-lpthread"), "{expected:?}");
    expected.retain(|library| !["-lgcc_s", "-lc"].contains(&library.as_str()));

    let libdir = prefix().join("lib");
    let read = |file: &str| fs::read_to_string(libdir.join(file)).expect("installed");
    let flags = expected.join(" ");
    assert!(read("pkgconfig/trip99.pc").contains(&format!("\nLibs.private: {flags}\n")));
    assert!(read("pkgconfig/trip99-static.pc").contains(&format!("\nLibs: ${{libdir}}/libtrip99.a {flags}\n")));
    let list = expected.join(";");
    assert!(read("cmake/trip99/trip99Config.cmake").contains(&format!("INTERFACE_LINK_LIBRARIES \"{list}\"")));

    // The whole list would do no harm to a dynamic program, but would break a static one.
    let directory = scratch("link_line");
    let source = write(&directory, "main.c", MAIN_C);
    let link = |flags: &[&str]| {
        let mut line = compiler("CC");
        line.arg(&source).arg("-I").arg(prefix().join("include")).arg(libdir.join("libtrip99.a"));
        run(line.args(flags).arg("-o").arg(directory.join("program")))
    };
    assert!(link(&["-lgcc_s"]).status.success());
    let output = link(&["-static", "-lgcc_s"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("-lgcc_s"));
}

/// Compiles `OTHER_RS` with this name for its function.
fn rust_archive(directory: &Path, function: &str) -> PathBuf {
    let source = write(directory, &format!("{function}.rs"), &OTHER_RS.replace("NAME", function));
    let archive = directory.join(format!("lib{function}.a"));
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    ok(Command::new(rustc).args(["--edition", "2024", "-O", "-o"]).arg(&archive).arg(source));
    archive
}

/// Links a C program that calls two functions, and runs it if that worked.
fn link_and_run(directory: &Path, calls: &str, archives: &[&Path]) -> Result<String, String> {
    let text =
        MAIN_C.replace("return 0;", calls).replace("int main", "int cb_catches(void);\nint other(void);\nint main");
    let program = directory.join("program");
    let mut line = compiler("CC");
    line.arg(write(directory, "main.c", &text)).arg("-I").arg(prefix().join("include")).args(archives);
    let libraries = raw_archive().1.into_iter().filter(|library| library != "-lgcc_s");
    let output = run(line.arg("-o").arg(&program).args(libraries));
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(ok(&mut Command::new(program)))
}

fn the_static_library_links_beside_another_rust_library() {
    let directory = scratch("beside");
    let other = rust_archive(&directory, "other");
    let ours = prefix().join("lib/libtrip99.a");
    let calls = r#"printf("%d\n", other()); return 0;"#;
    let expected = Ok(format!("{}2\n", greeting()));
    assert_eq!(link_and_run(&directory, calls, &[&ours, &other]), expected);
    assert_eq!(link_and_run(&directory, calls, &[&other, &ours]), expected);

    // The library as rustc leaves it doesn't link: it brings a standard library of its own.
    let (raw, _) = raw_archive();
    let errors = link_and_run(&directory, calls, &[&raw, &other]).expect_err("two of each symbol");
    assert!(errors.contains("multiple definition of `rust_eh_personality'"), "{errors}");
}

fn panics_are_still_caught_in_a_localised_library() {
    let directory = scratch("panics");
    let raw = rust_archive(&directory, "cb_catches");
    let localised = directory.join("localised.a");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cmake/localise.sh");
    ok(Command::new(script).arg(&raw).arg(&localised));
    let names = symbols(Command::new("nm").args(["-g", "--defined-only"]).arg(&localised));
    assert_eq!(names, BTreeSet::from(["cb_catches".to_string()]));

    // There are two others, as the linker keeps only one of the symbols that may be defined twice.
    let other = rust_archive(&directory, "other");
    let calls = r#"printf("%d %d\n", cb_catches(), other()); return 0;"#;
    let ours = prefix().join("lib/libtrip99.a");
    let expected = Ok(format!("{}2 2\n", greeting()));
    assert_eq!(link_and_run(&directory, calls, &[&other, &localised, &ours]), expected);
    assert_eq!(link_and_run(&directory, calls, &[&ours, &localised, &other]), expected);
}

fn mistakes_are_named() {
    let usage: [(&[&str], &str); 6] = [
        (&[], "--prefix is missing"),
        (&["--prefix"], "--prefix needs a directory"),
        (&["--prefix="], "--prefix needs a directory"),
        (&["--prefix", "/nowhere", "--libdir", "/usr/lib"], "--libdir must be a plain path within the prefix"),
        (&["--prefix", "/nowhere", "--libdir", "../lib"], "--libdir must be a plain path within the prefix"),
        (&["--prefix", "/nowhere", "lib"], "unknown argument: lib"),
    ];
    for (arguments, message) in usage {
        let output = run(installer().args(arguments));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}: {errors}");
        assert!(errors.starts_with(&format!("install.sh: {message}")) && errors.contains("\nusage: "), "{errors}");
    }
    let output = run(installer().args(["--prefix", "/nowhere"]).env("CARGO", "/no/cargo"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "install.sh: no cargo: install Rust, or set CARGO\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(ok(installer().arg("--help")).starts_with("usage: cmake/install.sh --prefix DIR"));
}

fn main() -> ExitCode {
    harness::run(&[
        ("a_staged_tree_is_complete_and_works_where_it_lies", a_staged_tree_is_complete_and_works_where_it_lies),
        (
            "pkg_config_users_get_the_shared_or_the_static_library",
            pkg_config_users_get_the_shared_or_the_static_library,
        ),
        ("cmake_users_need_no_other_language_than_their_own", cmake_users_need_no_other_language_than_their_own),
        (
            "cmake_takes_versions_that_are_compatible_by_semantic_versioning",
            cmake_takes_versions_that_are_compatible_by_semantic_versioning,
        ),
        (
            "both_libraries_define_what_the_header_declares_and_nothing_else",
            both_libraries_define_what_the_header_declares_and_nothing_else,
        ),
        ("every_version_is_that_of_cargo_toml", every_version_is_that_of_cargo_toml),
        ("the_soname_is_the_abi_version", the_soname_is_the_abi_version),
        (
            "static_users_link_what_rustc_says_but_for_what_every_compiler_adds",
            static_users_link_what_rustc_says_but_for_what_every_compiler_adds,
        ),
        ("the_static_library_links_beside_another_rust_library", the_static_library_links_beside_another_rust_library),
        ("panics_are_still_caught_in_a_localised_library", panics_are_still_caught_in_a_localised_library),
        ("cmake_from_sources_links_what_rustc_says", cmake_from_sources_links_what_rustc_says),
        ("no_library_names_a_path_of_its_builder", no_library_names_a_path_of_its_builder),
        (
            "the_shared_library_asks_for_no_newer_glibc_than_the_docs_say",
            the_shared_library_asks_for_no_newer_glibc_than_the_docs_say,
        ),
        ("mistakes_are_named", mistakes_are_named),
    ])
}
