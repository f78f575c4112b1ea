//! Certificates of a lab, made by OpenSSL: of who vouches, and of all members. Where there is no OpenSSL the lab does without.

use crate::trust::Tls;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const EXTENSIONS: &str = "extendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=critical,CA:FALSE\n";

fn openssl(dir: &Path, args: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(args.split(' ')).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Makes them in a folder, for servers at this machine and at these addresses. `None` if they can't be made.
pub fn make(dir: &Path, addresses: &[Ipv4Addr]) -> Option<Tls> {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let names: String = addresses.iter().map(|address| format!(",IP:{address}")).collect();
    fs::write(dir.join("extensions"), format!("subjectAltName=IP:127.0.0.1{names}\n{EXTENSIONS}")).ok()?;
    let steps = [
        format!("req -x509 {key} -keyout ca.key -out ca.pem -days 30 -subj /CN=lab-ca"),
        format!("req {key} -keyout member.key -out member.csr -subj /CN=lab"),
        "x509 -req -in member.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out member.pem -days 30 -extfile extensions".to_owned(),
    ];
    let is_made = steps.iter().all(|args| openssl(dir, args));
    let file = |name: &str| Some(dir.join(name));
    is_made.then(|| Tls { ca: file("ca.pem"), cert: file("member.pem"), key: file("member.key") })
}

/// A member's certificate that has run out when this returns, by the same who vouches. `None` if it can't be made.
pub fn expired(dir: &Path, tls: &Tls) -> Option<Tls> {
    let args = "x509 -req -in member.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out expired.pem -days 0 -extfile extensions";
    let is_made = openssl(dir, args);
    // It is good until the second in which it was made.
    std::thread::sleep(Duration::from_secs(2));
    is_made.then(|| Tls { cert: Some(dir.join("expired.pem")), ..tls.clone() })
}

/// What a server's configuration says of them.
pub fn conf(tls: &Tls) -> String {
    match (&tls.ca, &tls.cert, &tls.key) {
        (Some(ca), Some(cert), Some(key)) => format!(
            "tls {{ ca_file: \"{}\", cert_file: \"{}\", key_file: \"{}\", verify: true, timeout: 5 }}\n",
            ca.display(),
            cert.display(),
            key.display()
        ),
        _ => String::new(),
    }
}
