//! What `include/trip99.h` is to be: for build.rs, which writes it, and for the test that tells when it is stale.

use std::path::Path;

/// In the order of the header, which is the installed library's: it is built with feature `shm`, too.
const FILES: [&str; 32] = [
    "abi",
    "status",
    "config",
    "config_load",
    "handle",
    "breaker",
    "operations",
    "halt_note",
    "gate",
    "halt_results",
    "halting",
    "lane",
    "lane_operations",
    "snapshot",
    "events",
    "observer",
    "tap",
    "holders",
    "gate_handle",
    "why",
    "shared_places",
    "shared_options",
    "shared",
    "shared_handles",
    "shared_halts",
    "started",
    "owner",
    "comes_back",
    "warden",
    "supervisor/callbacks",
    "supervisor",
    "supervisor_handles",
];

/// `root` is where Cargo.toml is.
pub(crate) fn generate(root: &Path) -> cbindgen::Bindings {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is legal");
    config.after_includes = config.after_includes.map(with_version);
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = FILES
        .iter()
        .fold(builder, |builder, file| builder.with_src(root.join("src/ffi").join(file).with_extension("rs")));
    builder.generate().expect("cbindgen understands src/ffi")
}

/// Fills in Cargo.toml's version.
fn with_version(text: String) -> String {
    text.replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"))
        .replace("@MINOR@", env!("CARGO_PKG_VERSION_MINOR"))
        .replace("@PATCH@", env!("CARGO_PKG_VERSION_PATCH"))
}
