//! Draws the terminal pictures of the README.

mod desk;

use desk::{Desk, Node};
use std::path::Path;
use std::time::Duration;

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let mut desk = Desk::open(Path::new(&folder));
    std::fs::create_dir_all(desk.pages()).unwrap();
    std::fs::write(
        desk.pages().join("labels.toml"),
        "[xetra-bonds]\ndesk = \"rates\"\nvenue = \"xetra\"\n[cme-fx]\ndesk = \"fx\"\n",
    )
    .unwrap();
    let ms = Duration::from_millis;
    desk.engine("xetra-bonds", Node::Calm, ms(18));
    desk.engine("xetra-equities", Node::Slow, ms(30));
    desk.engine("cme-fx", Node::Recovering, ms(35));
    desk.engine("lse-orders", Node::Calm, ms(24));
    let more: usize = std::env::args().nth(2).map_or(0, |n| n.parse().unwrap());
    for i in 0..more {
        desk.engine(&format!("more-{i}"), if i % 9 == 0 { Node::Slow } else { Node::Calm }, ms(20));
    }
    std::thread::sleep(ms(3000));
    desk.halt("lse-orders", "ann@desk-7", "fat finger on the order book");
    desk.halt("lse-orders", "bob@risk", "position limit");
    std::thread::park();
}
