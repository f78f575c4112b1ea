//! What tests of the C libraries share: a compiler to use them with.

use std::env;
use std::process::{Command, Stdio};

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
