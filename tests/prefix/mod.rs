//! What tests of the C libraries share: an installed prefix.

use std::path::{Path, PathBuf};
use std::process::Command;
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
