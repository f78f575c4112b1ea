//! What tests of the C API share: the two languages, and how programs in them are compiled, linked and run.

use crate::compiler::compiler;
use crate::prefix::prefix;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A language: the variable that names its compiler, the variable with further flags, and the ending of its files.
pub(crate) struct Language {
    pub(crate) compiler: &'static str,
    pub(crate) flags: &'static str,
    pub(crate) extension: &'static str,
    pub(crate) standards: &'static [&'static str],
    warnings: &'static [&'static str],
}

pub(crate) const C: Language = Language {
    compiler: "CC",
    flags: "CFLAGS",
    extension: "c",
    standards: &["c99", "c11"],
    warnings: &["-Wstrict-prototypes"],
};

pub(crate) const CPP: Language = Language {
    compiler: "CXX",
    flags: "CXXFLAGS",
    extension: "cpp",
    standards: &["c++14", "c++17", "c++20"],
    warnings: &["-Wold-style-cast", "-Wzero-as-null-pointer-constant", "-Wnon-virtual-dtor"],
};

const WARNINGS: [&str; 9] = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wundef",
    "-Wshadow",
    "-Wcast-qual",
    "-Werror",
];

pub(crate) fn words(variable: &str) -> Vec<String> {
    env::var(variable).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// A file or directory of this test program's own.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

/// Runs a program that must succeed and print nothing on standard error: sanitizers may report there and go on.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {}\n{errors}", output.status);
}

/// A file in `tests/c`, without its ending.
pub(crate) fn source(name: &str, language: &Language) -> PathBuf {
    Path::new(ROOT).join("tests/c").join(name).with_extension(language.extension)
}

impl Language {
    /// The compiler with the standard and the installed headers, and with all warnings as errors.
    pub(crate) fn compile(&self, standard: &str) -> Command {
        let mut command = compiler(self.compiler);
        command.arg(format!("-std={standard}")).args(WARNINGS).args(self.warnings).args(words(self.flags));
        command.arg("-I").arg(prefix().join("include"));
        command
    }

    /// Makes a program of these files, and returns how to run it.
    pub(crate) fn program(&self, standard: &str, name: &str, files: &[PathBuf]) -> Command {
        let program = scratch(&format!("{name}-{standard}"));
        let lib = prefix().join("lib");
        let mut command = self.compile(standard);
        command.args(files).arg("-o").arg(&program).arg("-pthread");
        run(command.arg("-L").arg(&lib).arg("-ltrip99").arg(format!("-Wl,-rpath,{}", lib.display())));

        let runner = words("RUNNER");
        match runner.split_first() {
            Some((runner, arguments)) => {
                let mut command = Command::new(runner);
                command.args(arguments).arg(program);
                command
            }
            None => Command::new(program),
        }
    }
}
