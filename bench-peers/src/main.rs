//! Compares trip99 with what one would use instead: what a call costs, and what is noticed when. Prints the results, and
//! writes them to RESULTS.md.

mod traces;
mod load;
mod peers;
mod detection;
mod speed;
mod machine;
mod report;

use std::{fs, io};

fn main() -> io::Result<()> {
    let entries = peers::all();
    let load_before = machine::load();
    eprintln!("timing, some seconds...");
    let lines = speed::compare(&entries);
    let load_after = machine::load();
    eprintln!("feeding traces, some 30 s...");
    let rows = detection::compare(&entries);
    let text = format!(
        "# trip99 beside its peers\n\n\
         Written by `cargo run --release --manifest-path bench-peers/Cargo.toml`; README.md says how to read it.\n\n\
         {}\nLoad average {load_before} before the timing, {load_after} after it.\n\n\
         {}.\n\n\
         ## Who judges what\n\n{}\n\
         ## Speed\n\n{}\n\
         ## Detection\n\n\
         200 calls a second in virtual time; the trouble comes after 30 s without. Medians over the traces, and the least\n\
         and most. Slow is what takes longer than 200 ms.\n{}",
        machine::describe(),
        machine::versions(),
        report::peers(&entries),
        report::speed(&lines, &entries),
        report::detection(&rows),
    );
    println!("{text}");
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"), text)
}
