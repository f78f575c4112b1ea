//! The bytes of a file as plain text: unpacked if they are gzip or zstd, refused if they are something else that isn't text.
//!
//! What they are is told by their first bytes, never by the file's name: standard input has none.

mod zstd;

use crate::error::LogError;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufReader, Chain, Cursor, ErrorKind, Read};
use zstd::Frames;

/// Every mark that we know is at most this long, and a text of UTF-16 shows its NULs in so few bytes.
const HEAD_LEN: usize = 64;
/// Nothing that we know needs more bytes to be told apart. With fewer we wait for more. A pipe may hold one short line for long.
const ENOUGH_LEN: usize = 10;

/// The input as text. Gzip (of several members, too) and zstd (of several frames, too) are unpacked as they are read, in bounded
/// memory. `file` is the name that messages use.
///
/// # Errors
///
/// The input can't be read; it is packed in another way; or it is UTF-16 or UTF-32. The message has the command that makes text of
/// it. Packed data that ends early is an [`io::Error`] of the reader, of kind [`ErrorKind::UnexpectedEof`].
pub fn plain(input: impl Read + 'static, file: &str) -> Result<Box<dyn Read>, LogError> {
    let (head, input) = peek(input, file)?;
    let (unpacked, unpack): (Box<dyn Read>, _) = match packing(&head) {
        Some(Packing::Gzip) => {
            (Box::new(Named { packing: "gzip", input: MultiGzDecoder::new(BufReader::new(input)) }), Some("zcat"))
        }
        Some(Packing::Zstd) => (Box::new(Named { packing: "zstd", input: Frames::new(input) }), Some("zstdcat")),
        Some(Packing::Foreign { name, unpack }) => {
            let name_of_file = pasted(file);
            return Err(LogError::new(format_args!(
                "{file}: {name}; legal: text, gzip or zstd, so: {unpack} {name_of_file} | trip99 replay -"
            )));
        }
        None => {
            check_encoding(&head, file, None)?;
            return Ok(Box::new(input));
        }
    };
    let (head, unpacked) = peek(unpacked, file)?;
    check_encoding(&head, file, unpack)?;
    Ok(Box::new(unpacked))
}

/// An input whose first bytes are given back before the others.
type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

fn peek<R: Read>(mut input: R, file: &str) -> Result<(Vec<u8>, Peeked<R>), LogError> {
    let mut head = Vec::new();
    let mut buffer = [0; HEAD_LEN];
    while head.len() < ENOUGH_LEN {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => head.extend(buffer.iter().take(len)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(LogError::new(format_args!("{file}: {error}; legal: a readable file"))),
        }
    }
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

enum Packing {
    Gzip,
    Zstd,
    /// We don't unpack it, but `unpack` does.
    Foreign {
        name: &'static str,
        unpack: &'static str,
    },
}

fn packing(head: &[u8]) -> Option<Packing> {
    let foreign = |name, unpack| Some(Packing::Foreign { name, unpack });
    match head {
        [0x1f, 0x8b, ..] => Some(Packing::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Packing::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => foreign("packed by xz", "xzcat"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => foreign("packed by bzip2", "bzcat"),
        [0x04, 0x22, 0x4d, 0x18, ..] => foreign("packed by lz4", "lz4cat"),
        [b'P', b'K', 3, 4, ..] => foreign("a zip file (as a spreadsheet is, too: save that as CSV)", "unzip -p"),
        _ => None,
    }
}

/// An error if the text is no UTF-8, as far as its first bytes tell.
fn check_encoding(head: &[u8], file: &str, unpack: Option<&str>) -> Result<(), LogError> {
    let Some(encoding) = encoding(head) else { return Ok(()) };
    let name = pasted(file);
    let command = match unpack {
        Some(unpack) => format!("{unpack} {name} | iconv -f {encoding} -t UTF-8"),
        None => format!("iconv -f {encoding} -t UTF-8 {name}"),
    };
    Err(LogError::new(format_args!("{file}: text in {encoding}; legal: UTF-8, so: {command} | trip99 replay -")))
}

/// The name that iconv has for the text's encoding. `None` if the text may be UTF-8.
fn encoding(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some("UTF-16"),
        _ => {}
    }
    // Without a mark: the NULs of ASCII's high halves. iconv has to be told the order of the bytes.
    let nuls = |period: usize, at: fn(usize) -> bool| {
        head.len() >= 2 * period && head.iter().enumerate().all(|(index, byte)| (*byte == 0) == at(index % period))
    };
    [
        ("UTF-16LE", nuls(2, |at| at == 1)),
        ("UTF-16BE", nuls(2, |at| at == 0)),
        ("UTF-32LE", nuls(4, |at| at != 0)),
        ("UTF-32BE", nuls(4, |at| at != 3)),
    ]
    .iter()
    .find(|(_, found)| *found)
    .map(|(name, _)| *name)
}

/// The file's name for a command that is to be pasted. A name that a shell would take apart is left to the reader.
fn pasted(file: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/+@%".contains(c);
    if !file.is_empty() && !file.starts_with('-') && file.chars().all(is_plain) { file } else { "FILE" }
}

/// Its errors name the packing, and tell data that ends early from data that is wrong.
struct Named<R> {
    packing: &'static str,
    input: R,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let packing = self.packing;
        self.input.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::new(
                ErrorKind::UnexpectedEof,
                format!("the {packing} data ends early: the file was cut off, or is still being written"),
            ),
            kind @ (ErrorKind::InvalidData | ErrorKind::InvalidInput) => {
                io::Error::new(kind, format!("the {packing} data is damaged: {error}"))
            }
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn read(bytes: &[u8], file: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut input = plain(Cursor::new(bytes.to_vec()), file).map_err(|error| error.to_string())?;
        input.read_to_end(&mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }

    #[test]
    fn text_is_read_as_it_is() {
        for text in ["", "a", "\0", "\u{feff}start_ns,latency_ns\n", "PK", "BZh is a name\n", "(\u{b5}/s)\n"] {
            assert_eq!(read(text.as_bytes(), "t.csv"), Ok(text.into()));
        }
    }

    #[test]
    fn gzip_and_zstd_are_unpacked() {
        let text = b"start_ns,latency_ns\n1,2\n".repeat(20_000);
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9][..]].concat();
        for packed in [
            gzip(&text),
            [gzip(&text[..7]), gzip(b""), gzip(&text[7..])].concat(),
            zstd(&text),
            [zstd(&text[..7]), skippable.clone(), zstd(b""), zstd(&text[7..])].concat(),
            [skippable.clone(), zstd(&text), skippable].concat(),
        ] {
            assert!(read(&packed, "t.csv") == Ok(text.clone()));
        }
    }

    #[test]
    fn a_packed_file_that_ends_early_is_an_error() {
        let text = b"start_ns,latency_ns\n1,2\n1,3\n";
        for (packed, name) in [(gzip(text), "gzip"), (zstd(text), "zstd")] {
            for len in 4..packed.len() {
                let message = read(&packed[..len], "t.csv").expect_err(name);
                assert!(
                    message.contains(&format!("the {name} data ends early: the file was cut off")),
                    "{len}: {message}"
                );
            }
            let twice = [&packed[..], &packed[..packed.len() - 1]].concat();
            assert!(read(&twice, "t.csv").expect_err(name).contains("ends early"));
            let mut damaged = packed.clone();
            damaged[packed.len() - if name == "gzip" { 6 } else { 1 }] ^= 1;
            assert!(read(&damaged, "t.csv").expect_err(name).contains("is damaged"), "{name}");
        }
    }

    #[test]
    fn a_zstd_window_that_needs_too_much_memory_is_refused() {
        // A frame's header with a window of 2^31 bytes.
        let message = "t: zstd with a window of 2147483648 bytes, above 134217728: zstd -dc --long=31 unpacks it; legal: a readable file";
        let packed = [0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3, 1, 0, 0];
        assert_eq!(read(&packed, "t"), Err(message.to_owned()));
    }

    #[test]
    fn other_packings_and_encodings_are_refused() {
        let wide = |text: &str, width: usize, little: bool| -> Vec<u8> {
            let one = |c: char| {
                let bytes = (c as u32).to_be_bytes().into_iter().skip(4 - width);
                if little { bytes.rev().collect::<Vec<u8>>() } else { bytes.collect() }
            };
            text.chars().flat_map(one).collect()
        };
        let text = "start_ns,latency_ns\n1,2\n";
        let marked = format!("\u{feff}{text}");
        for (bytes, file, message) in [
            (
                wide(&marked, 2, true),
                "t.csv",
                "t.csv: text in UTF-16; legal: UTF-8, so: iconv -f UTF-16 -t UTF-8 t.csv | trip99 replay -",
            ),
            (
                wide(&marked, 2, false),
                "-",
                "-: text in UTF-16; legal: UTF-8, so: iconv -f UTF-16 -t UTF-8 FILE | trip99 replay -",
            ),
            (
                wide(text, 2, true),
                "a b",
                "a b: text in UTF-16LE; legal: UTF-8, so: iconv -f UTF-16LE -t UTF-8 FILE | trip99 replay -",
            ),
            (
                wide(text, 2, false),
                "t",
                "t: text in UTF-16BE; legal: UTF-8, so: iconv -f UTF-16BE -t UTF-8 t | trip99 replay -",
            ),
            (
                wide(&marked, 4, true),
                "t",
                "t: text in UTF-32; legal: UTF-8, so: iconv -f UTF-32 -t UTF-8 t | trip99 replay -",
            ),
            (
                wide(&marked, 4, false),
                "t",
                "t: text in UTF-32; legal: UTF-8, so: iconv -f UTF-32 -t UTF-8 t | trip99 replay -",
            ),
            (
                wide(text, 4, true),
                "t",
                "t: text in UTF-32LE; legal: UTF-8, so: iconv -f UTF-32LE -t UTF-8 t | trip99 replay -",
            ),
            (
                wide(text, 4, false),
                "t",
                "t: text in UTF-32BE; legal: UTF-8, so: iconv -f UTF-32BE -t UTF-8 t | trip99 replay -",
            ),
            (
                gzip(&wide(&marked, 2, true)),
                "t.gz",
                "t.gz: text in UTF-16; legal: UTF-8, so: zcat t.gz | iconv -f UTF-16 -t UTF-8 | trip99 replay -",
            ),
            (
                b"\xfd7zXZ\0\0\x04".to_vec(),
                "t.xz",
                "t.xz: packed by xz; legal: text, gzip or zstd, so: xzcat t.xz | trip99 replay -",
            ),
            (
                b"BZh91AY&SY\0".to_vec(),
                "t.bz2",
                "t.bz2: packed by bzip2; legal: text, gzip or zstd, so: bzcat t.bz2 | trip99 replay -",
            ),
            (
                b"\x04\x22\x4d\x18d".to_vec(),
                "t",
                "t: packed by lz4; legal: text, gzip or zstd, so: lz4cat t | trip99 replay -",
            ),
            (
                b"PK\x03\x04\x14\0".to_vec(),
                "t.zip",
                "t.zip: a zip file (as a spreadsheet is, too: save that as CSV); legal: text, gzip or zstd, so: unzip -p t.zip | trip99 replay -",
            ),
        ] {
            assert_eq!(read(&bytes, file), Err(message.to_owned()));
        }
    }
}
