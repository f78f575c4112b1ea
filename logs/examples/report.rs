//! Writes a report to look at while its page is worked on: `cargo run -p trip99-logs --example report > report.html`.

#[path = "../tests/sample/mod.rs"]
mod sample;

fn main() {
    let is_utc = std::env::args().nth(1).as_deref() != Some("relative");
    print!("{}", sample::report(is_utc).html());
}
