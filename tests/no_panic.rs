//! Builds the proof in `examples/no_panic.rs`, and its twin that must fail.

use std::process::{Command, Output};

/// Compiles and links the example with fat LTO, apart from the ordinary build.
fn link(cfgs: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(["rustc", "--quiet", "--locked", "--profile", "no-panic", "--example", "no_panic"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(["--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/no_panic"), "--"])
        .args(cfgs.iter().flat_map(|cfg| ["--cfg", cfg]))
        // Sanitizers and coverage add panics of their own.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs")
}

#[test]
fn hot_operations_are_proven_free_of_panics_and_the_proof_can_fail() {
    let proof = link(&["no_panic_proof"]);
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));

    let twin = link(&["no_panic_proof", "no_panic_twin"]);
    let errors = String::from_utf8_lossy(&twin.stderr);
    assert!(!twin.status.success() && errors.contains("detected panic in function `can_panic`"), "{errors}");
    let others = errors.matches("detected panic in function").count();
    assert_eq!(others, errors.matches("detected panic in function `can_panic`").count(), "{errors}");
}
