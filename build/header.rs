//! What `include/trip99.h` is to be: for build.rs, which writes it, and for the test that tells when it is stale.

use std::path::Path;

/// In the order of the header, which is the installed library's: it is built with feature `shm`, too.
const FILES: [&str; 11] =
    ["abi", "status", "config", "breaker", "operations", "gate", "lane", "snapshot", "events", "shared", "supervisor"];

/// `root` is where Cargo.toml is.
pub(crate) fn generate(root: &Path) -> cbindgen::Bindings {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is legal");
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = FILES
        .iter()
        .fold(builder, |builder, file| builder.with_src(root.join("src/ffi").join(file).with_extension("rs")));
    builder.generate().expect("cbindgen understands src/ffi")
}
