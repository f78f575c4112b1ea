//! A health check that asks a node for something, by JSON-RPC over HTTP. A supervisor makes it while the breaker is half-open.
//!
//! `cargo run --example http_health_check` runs a node on loopback, makes it sick, and lets it get well. That takes some two
//! seconds.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use trip99::supervisor::{CheckError, HealthCheck, Node, Notice};
use trip99::{Breaker, Config, Reason, Recovery, State, Supervisor};

/// Asks an RPC node for its latest block. A node that answers a call proves more than a node that accepts a connection.
struct JsonRpc {
    client: ureq::Agent,
    url: String,
    method: &'static str,
}

impl HealthCheck for JsonRpc {
    fn check(&mut self, timeout: Duration) -> Result<(), CheckError> {
        let request = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": self.method, "params": []});
        let mut response = self
            .client
            .post(&self.url)
            .config()
            .timeout_global(Some(timeout))
            .build()
            .content_type("application/json")
            .send(request.to_string())?; // any status but 2xx is an error
        let answer: serde_json::Value = serde_json::from_str(&response.body_mut().read_to_string()?)?;
        match (answer.get("result"), answer.get("error")) {
            (Some(_), None) => Ok(()),
            (_, Some(error)) => Err(format!("the node answered with an error: {error}").into()),
            _ => Err("the node didn't answer in JSON-RPC".into()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let well = Arc::new(AtomicBool::new(false));
    let server = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", server.local_addr()?);
    let status = Arc::clone(&well);
    thread::spawn(move || serve(&server, &status));

    let mut breaker = Breaker::new(Config {
        recovery: Recovery::HealthChecks,
        probes: 5,
        backoff_base_ns: 200_000_000, // 200 ms; then 400, 800 ...
        ..Config::default()
    })?;
    let gate = breaker.gate();
    let mut lane = breaker.lane();

    let begun = Instant::now();
    let say = move |text: &str| println!("{:>8.3} s  {text}", begun.elapsed().as_secs_f64());
    let (sender, recovered) = mpsc::channel();
    let check = JsonRpc { client: ureq::Agent::new_with_defaults(), url, method: "eth_blockNumber" };
    let supervisor = Supervisor::builder()
        .node(Node::new("rpc", breaker).health_check(check).check_every(Duration::from_millis(50)))
        .listener(move |name, notice| {
            if let Notice::Event(event) = notice {
                say(&format!("{name}: {} -> {}: {}", event.from, event.to, event.reason));
                if event.reason == Reason::Recovered {
                    let _ = sender.send(());
                }
            }
        })
        .on_fault(move |fault| say(&fault.to_string()))
        .start()?;

    say("the node has become slow: five calls take 300 ms");
    (0..5).for_each(|_| lane.record(300_000_000));
    while gate.state() == Some(State::Closed) {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!gate.allow());
    thread::sleep(Duration::from_millis(500));
    say("the node is well again");
    well.store(true, Ordering::Relaxed);
    recovered.recv_timeout(Duration::from_secs(30))?;
    assert!(gate.allow());
    let checks_failed = supervisor.faults().checks_failed;
    drop(supervisor);
    say(&format!("trading goes on, after {checks_failed} failed checks"));
    Ok(())
}

/// The node. It answers each call with a block number while it is well, and with an error while it isn't.
fn serve(server: &TcpListener, well: &AtomicBool) {
    for stream in server.incoming() {
        let answered = stream.and_then(|stream| answer(stream, well.load(Ordering::Relaxed)));
        if let Err(error) = answered {
            eprintln!("the node: {error}");
        }
    }
}

fn answer(mut stream: TcpStream, well: bool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    // The request ends with its one JSON object.
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"}") {
        match stream.read(&mut part)? {
            0 => break,
            len => request.extend_from_slice(&part[..len]),
        }
    }
    let body = if well {
        r#"{"jsonrpc":"2.0","id":1,"result":"0x1b4"}"#
    } else {
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"still syncing"}}"#
    };
    let len = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {len}\r\n\r\n{body}")
}
