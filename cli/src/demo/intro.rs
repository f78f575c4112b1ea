//! What the demo says before it begins.

use crate::demo::engine::ORDER_EVERY_NS;
use crate::demo::process::Process;
use crate::demo::shell::{program, quote};
use crate::failure::Failure;
use crate::page::place::Place;
use crate::show::{columns, show_settings, wrap_lines, write_lines};
use console::style;
use std::io::{self, Write};
use trip99::Config;

pub(crate) fn introduce(node: &Process, config: &Config, page: Option<&Place>, is_halted: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}\n", style("trip99 demo").bold())?;
    let node = ("node", format!("process {} on {}", node.id(), node.address()));
    let every_ms = ORDER_EVERY_NS / 1_000_000;
    let engine = ("engine", format!("wants to send it an order every {every_ms} ms, for some 20 s"));
    write_lines(&mut out, [node, engine].into_iter().chain(wrap_lines(show_settings(config), columns())))?;
    if let Some(page) = page {
        write_lines(&mut out, show_page(&program(), page))?;
    }
    if is_halted {
        let text = "by somebody, before this began: no order is sent until it is resumed";
        write_lines(&mut out, [("halted", text.to_owned())])?;
    }
    Ok(writeln!(out)?)
}

/// How to watch and halt the breaker from another shell.
fn show_page(program: &str, page: &Place) -> [(&'static str, String); 5] {
    let (program, argument) = (quote(program), quote(&page.argument()));
    [
        ("page", format!("{}; from another shell:", page.path())),
        ("", format!("{program} status {argument}")),
        ("", format!("{program} events {argument} --follow")),
        ("", format!("{program} halt {argument} --reason 'prices look wrong'")),
        ("", format!("{program} resume {argument} --reason 'prices are right'")),
    ]
}
