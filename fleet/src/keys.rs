//! Keys: Ed25519, in the form of NATS' nkeys. One key is both a user of the servers and a signature.

use crate::failure::Failure;
use data_encoding::BASE64;
use nkeys::{KeyPair, KeyPairType};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A key that signs.
pub struct Key {
    pair: KeyPair,
}

impl Key {
    /// A new one.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub fn new() -> Result<Self, Failure> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Failure::new(format_args!("no random bytes: {error}")))?;
        let pair = KeyPair::new_from_raw(KeyPairType::User, bytes).map_err(Failure::new)?;
        Ok(Self { pair })
    }

    /// Reads a key from its file, which only its user may read.
    ///
    /// # Errors
    /// The file can't be read, others may read it, or it holds no key.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let found = fs::metadata(path).map_err(|error| Failure::new(format_args!("{name}: {error}")))?;
        // systemd gives a service its credentials by an access list, whose mask shows as the group's bits.
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        let is_credential = credentials.is_some_and(|folder| path.starts_with(folder));
        let others = if is_credential { 0o037 } else { 0o077 };
        if !found.is_file() || found.mode() & others != 0 {
            return Err(Failure::new(format_args!(
                "{name}: others may read it, or it is no plain file; legal: a key's file of mode 0600 or 0400"
            )));
        }
        let text = fs::read_to_string(path).map_err(|error| Failure::new(format_args!("{name}: {error}")))?;
        let wrong =
            |_| Failure::new(format_args!("{name}: no key; legal: one seed of a user (SU...) by trip99-fleet keys"));
        let pair = KeyPair::from_seed(text.trim()).map_err(wrong)?;
        Ok(Self { pair })
    }

    /// Writes the key to a new file that only this user may read.
    ///
    /// # Errors
    /// The file is there, or can't be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let wrong = |error: std::io::Error| Failure::new(format_args!("{}: {error}", path.display()));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
        writeln!(file, "{}", self.seed()?).and_then(|()| file.sync_all()).map_err(wrong)
    }

    /// What the servers ask of a user.
    ///
    /// # Errors
    /// Never, as the key signs.
    pub fn seed(&self) -> Result<String, Failure> {
        self.pair.seed().map_err(Failure::new)
    }

    /// What others know the key by.
    pub fn public(&self) -> String {
        self.pair.public_key()
    }

    /// A signature, as text.
    ///
    /// # Errors
    /// Never, as the key signs.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, Failure> {
        self.pair.sign(bytes).map(|signature| BASE64.encode(&signature)).map_err(Failure::new)
    }
}

/// Whether the text is a public key of a user.
pub fn is_public(text: &str) -> bool {
    text.starts_with('U') && KeyPair::from_public_key(text).is_ok()
}

/// Whether this public key has signed these bytes.
pub fn has_signed(public: &str, bytes: &[u8], signature: &str) -> bool {
    let Ok(pair) = KeyPair::from_public_key(public) else { return false };
    BASE64.decode(signature.as_bytes()).is_ok_and(|signature| pair.verify(bytes, &signature).is_ok())
}

/// Random hexadecimal digits, for ids and nonces.
///
/// # Errors
/// The operating system has no random bytes.
pub fn random_id() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format_args!("no random bytes: {error}")))?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_signature_is_of_one_key_and_one_text() {
        let (key, other) = (Key::new().unwrap(), Key::new().unwrap());
        let signature = key.sign(b"halt").unwrap();
        assert!(has_signed(&key.public(), b"halt", &signature) && is_public(&key.public()));
        assert!(!has_signed(&key.public(), b"Halt", &signature));
        assert!(!has_signed(&other.public(), b"halt", &signature));
        for wrong in ["", "U", "no key"] {
            assert!(!has_signed(wrong, b"halt", &signature) && !is_public(wrong), "{wrong}");
        }
        for wrong in ["", "====", &signature[1..]] {
            assert!(!has_signed(&key.public(), b"halt", wrong), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let path = std::env::temp_dir().join(format!("trip99-fleet-key-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let key = Key::new().unwrap();
        key.write(&path).unwrap();
        assert!(key.write(&path).unwrap_err().text.contains("exists"));
        assert_eq!(Key::read(&path).unwrap().public(), key.public());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Key::read(&path).err().unwrap().text.contains("legal: a key's file of mode 0600"));
        fs::remove_file(&path).unwrap();
    }
}
