//! With the feature `header` writes the C header anew; otherwise does nothing.

#[cfg(feature = "header")]
#[path = "build/header.rs"]
mod header;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "header")]
    {
        println!("cargo::rerun-if-changed=build/header.rs");
        println!("cargo::rerun-if-changed=cbindgen.toml");
        println!("cargo::rerun-if-changed=src/ffi");
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        header::generate(root).write_to_file(root.join("include/trip99.h"));
    }
}
