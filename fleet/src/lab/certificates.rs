//! Certificates of a lab, made by OpenSSL: of who vouches, and of all members. Where there is no OpenSSL the lab does without.

use crate::trust::Tls;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const EXTENSIONS: &str =
    "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=critical,CA:FALSE\n";

fn openssl(dir: &Path, args: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(args.split(' ')).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Makes them in a folder. `None` if they can't be made.
pub fn make(dir: &Path) -> Option<Tls> {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    fs::write(dir.join("extensions"), EXTENSIONS).ok()?;
    let steps = [
        format!("req -x509 {key} -keyout ca.key -out ca.pem -days 30 -subj /CN=lab-ca"),
        format!("req {key} -keyout member.key -out member.csr -subj /CN=lab"),
        "x509 -req -in member.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out member.pem -days 30 -extfile extensions".to_owned(),
    ];
    let is_made = steps.iter().all(|args| openssl(dir, args));
    let file = |name: &str| Some(dir.join(name));
    is_made.then(|| Tls { ca: file("ca.pem"), cert: file("member.pem"), key: file("member.key") })
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
