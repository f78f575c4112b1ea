//! What tests of the C libraries share: an installed prefix, and a compiler to use it with.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// `cmake/install.sh`, for the libraries alone. The caller says where to install.
pub(crate) fn installer() -> Command {
    let mut installer = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cmake/install.sh"));
    installer
        .args(["--no-tool", "--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/capi")])
        .env("CARGO", env!("CARGO"))
        .env_remove("DESTDIR")
        // The libraries don't get the flags of the tests (loom, sanitizers, coverage).
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    installer
}

/// Where the libraries are installed, once for each test program.
pub(crate) fn prefix() -> &'static Path {
    static PREFIX: LazyLock<PathBuf> = LazyLock::new(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
        let output = installer().arg("--prefix").arg(&prefix).output().expect("install.sh runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        prefix
    });
    &PREFIX
}

/// The compiler in `$CC` or `$CXX` (which may have arguments: `ccache gcc`), otherwise `cc` or `c++`.
pub(crate) fn compiler(variable: &str) -> Command {
    let (default, language) = match variable {
        "CC" => ("cc", "C"),
        "CXX" => ("c++", "C++"),
        _ => panic!("no compiler is named by {variable}"),
    };
    let chosen = env::var(variable).ok().filter(|chosen| !chosen.trim().is_empty());
    let mut words = chosen.as_deref().unwrap_or(default).split_whitespace();
    let mut command = Command::new(words.next().expect("not blank"));
    command.args(words);

    let mut try_out = Command::new(command.get_program());
    try_out.args(command.get_args()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let works = try_out.status().is_ok_and(|status| status.success());
    assert!(works, "no {language} compiler: install one, or set {variable}");
    command
}
