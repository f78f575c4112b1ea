//! Keys and signatures (Ed25519), in the files that openssl reads and writes, too.

use super::chain::{Head, hex, read_hex};
use crate::failure::Failure;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A key that signs.
pub(crate) struct Key(SigningKey);

/// A key that tells who signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublicKey(VerifyingKey);

/// What is signed of a line: that there is such a line, of this number, with this hash.
fn statement(head: Head) -> String {
    format!("trip99 record {} {}", head.n, head.hash)
}

impl Key {
    /// Reads a private key. Others than its owner must not be able to read it.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            let legal = "legal: a private Ed25519 key in PEM, as trip99 record keygen makes it";
            Failure::new(format_args!("--sign-key {}: {error}; {legal}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| cannot(&error))?;
        let mode = fs::metadata(path).map_or(0, |metadata| metadata.mode());
        if mode & 0o077 != 0 {
            return Err(cannot(&format_args!("others may read or change it (mode {:o}); chmod 600 it", mode & 0o7777)));
        }
        SigningKey::from_pkcs8_pem(&text).map(Self).map_err(|error| cannot(&error))
    }

    fn generate() -> Result<Self, Failure> {
        let mut secret = [0; 32];
        let failed = |error| Failure::new(format_args!("cannot make a key: the system has no random numbers: {error}"));
        getrandom::fill(&mut secret).map_err(failed)?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature that a line is the last of its chain.
    pub(crate) fn sign(&self, head: Head) -> String {
        hex(&self.0.sign(statement(head).as_bytes()).to_bytes())
    }
}

impl PublicKey {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            let legal = "legal: a public Ed25519 key in PEM, as trip99 record keygen makes it";
            Failure::new(format_args!("--key {}: {error}; {legal}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| cannot(&error))?;
        VerifyingKey::from_public_key_pem(&text).map(Self).map_err(|error| cannot(&error))
    }

    /// Reads it as a line has it.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        VerifyingKey::from_bytes(&read_hex(text)?).ok().map(Self)
    }

    pub(crate) fn to_hex(self) -> String {
        hex(self.0.as_bytes())
    }

    pub(crate) fn has_signed(&self, head: Head, signature: &str) -> bool {
        let signature = read_hex(signature).map(|bytes| Signature::from_bytes(&bytes));
        signature.is_some_and(|signature| self.0.verify_strict(statement(head).as_bytes(), &signature).is_ok())
    }
}

/// Makes a pair of keys: the private one in a file, and the public one in another beside it. Returns the path of that one.
pub(crate) fn make_pair(path: &Path) -> Result<PathBuf, Failure> {
    let key = Key::generate()?;
    let cannot = |error: &dyn std::fmt::Display| Failure::new(format_args!("cannot write a key: {error}"));
    let private = key.0.to_pkcs8_pem(LineEnding::LF).map_err(|error| cannot(&error))?;
    let public = key.public().0.to_public_key_pem(LineEnding::LF).map_err(|error| cannot(&error))?;
    let mut public_path = path.as_os_str().to_owned();
    public_path.push(".pub");
    let public_path = PathBuf::from(public_path);
    for (path, text, mode) in [(path, private.as_str(), 0o600), (&public_path, public.as_str(), 0o644)] {
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(|error| Failure::new(format_args!("cannot write {}: {error}", path.display())))?;
    }
    Ok(public_path)
}
