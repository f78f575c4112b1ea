//! With the feature `header` writes the C header anew; otherwise does nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "header")]
    header::write();
}

#[cfg(feature = "header")]
mod header {
    //! Writes `include/trip99.h`, if it changed.

    use std::path::Path;

    /// In the order of the header.
    const FILES: [&str; 8] = ["abi", "status", "config", "breaker", "operations", "gate", "snapshot", "events"];

    pub(crate) fn write() {
        println!("cargo::rerun-if-changed=cbindgen.toml");
        println!("cargo::rerun-if-changed=src/ffi");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is legal");
        let builder = cbindgen::Builder::new().with_config(config);
        let builder = FILES
            .iter()
            .fold(builder, |builder, file| builder.with_src(root.join("src/ffi").join(file).with_extension("rs")));
        builder.generate().expect("cbindgen understands src/ffi").write_to_file(root.join("include/trip99.h"));
    }
}
