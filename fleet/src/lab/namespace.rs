//! Hosts of a lab with a network of their own: a network namespace whose one wire (a pair of `veth`) leads to the lab. It takes root, and
//! iproute2.

use crate::failure::Failure;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A network namespace. It ends when this is dropped, and so do its wire and rules.
pub struct Namespace {
    name: String,
    /// The lab's end of the wire.
    wire: String,
    gateway: Ipv4Addr,
}

/// Its end of the wire, as the host sees it.
const INSIDE: &str = "eth0";

fn run(program: &str, args: &str) -> Result<(), Failure> {
    let mut command = Command::new(program);
    let output = command.args(args.split(' ')).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::new(format_args!("{program}: {error}")))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Failure::new(format_args!("{program} {args}: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }
}

/// A number that labs hardly share.
fn number(lab: &str) -> u32 {
    lab.bytes().fold(7, |number: u32, byte| number.wrapping_mul(31).wrapping_add(u32::from(byte)))
}

fn address(lab: &str, place: usize, end: u8) -> Ipv4Addr {
    let [_, _, high, low] = number(lab).to_be_bytes();
    // Each host has four addresses of 10.64.0.0/10.
    let host = u8::try_from(place % 64).unwrap_or(0) * 4;
    Ipv4Addr::new(10, 64 + high % 64, low, host + end)
}

/// Where the host of a lab reaches the servers.
pub fn gateway(lab: &str, place: usize) -> Ipv4Addr {
    address(lab, place, 1)
}

/// Whether this machine lets one make such networks.
///
/// # Errors
/// Why it doesn't.
pub fn check() -> Result<(), Failure> {
    Namespace::new(&format!("probe-{}", std::process::id()), 0).map(drop)
}

impl Namespace {
    /// The one of a host of a lab.
    ///
    /// # Errors
    /// The machine doesn't let one make it.
    pub fn new(lab: &str, place: usize) -> Result<Self, Failure> {
        // An interface's name has at most 15 bytes.
        let name = format!("t{:08x}-{place}", number(lab));
        let wire = format!("{name}w");
        let (gateway, own) = (address(lab, place, 1), address(lab, place, 2));
        run("ip", &format!("netns add {name}"))?;
        let namespace = Self { name, wire, gateway };
        let Self { name, wire, .. } = &namespace;
        run("ip", &format!("link add {wire} type veth peer name {INSIDE} netns {name}"))?;
        run("ip", &format!("addr add {gateway}/30 dev {wire}"))?;
        run("ip", &format!("link set {wire} up"))?;
        run("ip", &format!("-n {name} addr add {own}/30 dev {INSIDE}"))?;
        run("ip", &format!("-n {name} link set {INSIDE} up"))?;
        Ok(namespace)
    }

    /// Where this host reaches the servers.
    pub fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }

    /// Runs a program there. The process is the program's own.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Cuts the wire. No end hears of it but by silence.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn cut(&self) -> Result<(), Failure> {
        run("ip", &format!("link set {} down", self.wire))
    }

    /// Mends it.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn mend(&self) -> Result<(), Failure> {
        run("ip", &format!("link set {} up", self.wire))
    }

    /// Everything that the host sends takes so much longer, give or take a half.
    ///
    /// # Errors
    /// The machine has no netem.
    pub fn delay(&self, delay: Duration) -> Result<(), Failure> {
        let ms = delay.as_millis();
        run("tc", &format!("-n {} qdisc replace dev {INSIDE} root netem delay {ms}ms {}ms", self.name, ms / 2))
    }

    /// Of what the host sends and hears so many packets of a hundred are lost.
    ///
    /// # Errors
    /// The machine has neither netem nor nftables.
    pub fn lose(&self, percent: u32) -> Result<(), Failure> {
        let name = &self.name;
        run("tc", &format!("-n {name} qdisc replace dev {INSIDE} root netem loss {percent}%")).or_else(|_| {
            let nft = |args: &str| run("ip", &format!("netns exec {name} nft {args}"));
            nft("add table inet lossy")?;
            for hook in ["input", "output"] {
                nft(&format!("add chain inet lossy {hook} {{ type filter hook {hook} priority 0 ; }}"))?;
                nft(&format!("add rule inet lossy {hook} numgen random mod 100 < {percent} drop"))?;
            }
            Ok(())
        })
    }

    /// From now on nothing is lost any more.
    ///
    /// # Errors
    /// Nothing was lost.
    pub fn lose_nothing(&self) -> Result<(), Failure> {
        let name = &self.name;
        run("tc", &format!("-n {name} qdisc del dev {INSIDE} root"))
            .or_else(|_| run("ip", &format!("netns exec {name} nft delete table inet lossy")))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The wire first: a namespace ends only when its last process has.
        let _ = run("ip", &format!("link del {}", self.wire));
        let _ = run("ip", &format!("netns del {}", self.name));
    }
}
