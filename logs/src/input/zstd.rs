//! zstd, frame after frame.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// Unpacks every frame of the input. ruzstd unpacks one.
pub(super) struct Frames<R> {
    input: BufReader<R>,
    decoder: FrameDecoder,
    /// Whether the decoder is within a frame: its bytes aren't all read, or its checksum isn't compared yet.
    in_frame: bool,
}

impl<R: Read> Frames<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::new(input), decoder: FrameDecoder::new(), in_frame: false }
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        self.input.fill_buf().map(<[u8]>::is_empty)
    }

    /// ruzstd has many errors for data that ends early. The input tells better.
    fn error(&mut self, error: FrameDecoderError) -> io::Error {
        if let FrameDecoderError::WindowSizeTooBig { requested, max } = error {
            let wrong = format!("zstd with a window of {requested} bytes, above {max}: zstd -dc --long=31 unpacks it");
            return io::Error::new(ErrorKind::Unsupported, wrong);
        }
        match self.is_at_end() {
            Ok(true) => ErrorKind::UnexpectedEof.into(),
            Ok(false) => io::Error::new(ErrorKind::InvalidData, error.to_string()),
            Err(error) => error,
        }
    }

    /// Begins the next frame, over frames that hold no data. False at the end.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.is_at_end()? {
            match self.decoder.reset(&mut self.input) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.input).take(length), &mut io::sink())? < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(false)
    }

    fn end(&mut self) -> io::Result<()> {
        self.in_frame = false;
        match self.decoder.get_checksum_from_data() {
            Some(sum) if self.decoder.get_calculated_checksum() != Some(sum) => {
                Err(io::Error::new(ErrorKind::InvalidData, "its checksum is another"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame && !self.begin()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let decoded = self.decoder.decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1));
                decoded.map_err(|error| self.error(error))?;
            }
            match self.decoder.read(buffer)? {
                0 => self.end()?,
                len => return Ok(len),
            }
        }
    }
}
