//! Builds and runs `c_abi.cpp` against an installed prefix, with the shared library and with the static one.

#[path = "../tests/compiler/mod.rs"]
mod compiler;
#[path = "../tests/prefix/mod.rs"]
mod prefix;

use compiler::compiler;
use prefix::prefix;
use std::path::Path;
use std::process::Command;

fn main() {
    // Cargo passes `--bench`; `cargo test --benches` doesn't, and needn't run it.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let lib = prefix().join("lib");
    for (kind, library) in [("shared", "libtrip99.so"), ("static", "libtrip99.a")] {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c_abi-{kind}"));
        let mut compile = compiler("CXX");
        compile.args(["-std=c++14", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]).arg("-I");
        compile.arg(prefix().join("include")).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/c_abi.cpp"));
        compile.arg(lib.join(library)).arg("-o").arg(&program);
        assert!(compile.status().expect("the compiler runs").success(), "the bench doesn't compile");
        println!("c_abi, {kind} library: medians and quartiles of 301 rounds");
        let status = Command::new(&program).env("LD_LIBRARY_PATH", &lib).status().expect("the bench runs");
        assert!(status.success(), "the bench fails");
        println!();
    }
}
