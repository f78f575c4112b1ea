//! The order-entry protocol: messages of nine bytes over any stream that doesn't block.

use std::io::{self, ErrorKind, Read, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The first message of a connection; nothing else may be sent before its answer.
    Logon = 1,
    /// A new order, by its number.
    Order = 2,
    /// Cancels the order of this number.
    Cancel = 3,
}

/// A request, or the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) is_answer: bool,
    pub(crate) id: u64,
}

/// The first byte is the kind, with this bit set in an answer. The other bytes are the number, little-endian.
const ANSWER: u8 = 0x80;
const LEN: usize = 9;

impl Message {
    pub(crate) const fn request(kind: Kind, id: u64) -> Self {
        Self { kind, is_answer: false, id }
    }

    pub(crate) const fn answer(self) -> Self {
        Self { is_answer: true, ..self }
    }

    fn to_bytes(self) -> [u8; LEN] {
        let [a, b, c, d, e, f, g, h] = self.id.to_le_bytes();
        [self.kind as u8 | if self.is_answer { ANSWER } else { 0 }, a, b, c, d, e, f, g, h]
    }

    /// `None` if the protocol has no such message.
    fn from_bytes([what, id @ ..]: [u8; LEN]) -> Option<Self> {
        let kind = [Kind::Logon, Kind::Order, Kind::Cancel].into_iter().find(|&kind| kind as u8 == what & !ANSWER)?;
        Some(Self { kind, is_answer: what & ANSWER != 0, id: u64::from_le_bytes(id) })
    }
}

/// One end of a connection. Any error means that the connection is lost.
pub(crate) struct Wire<S> {
    stream: S,
    /// Bytes that were received and are not a whole message yet.
    inbox: Vec<u8>,
    /// Bytes that are sent as soon as the stream takes them.
    outbox: Vec<u8>,
}

impl<S: Read + Write> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, inbox: Vec::new(), outbox: Vec::new() }
    }

    /// Sends what the stream takes now; the rest follows at the next `send` or `flush`.
    pub(crate) fn send(&mut self, message: Message) -> io::Result<()> {
        self.outbox.extend(message.to_bytes());
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => drop(self.outbox.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The stream took less than it was given, so another message would only wait behind the rest.
    pub(crate) fn is_backed_up(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Adds the messages that have come to `messages`, even if an error follows them. It is an error, too, if the other end
    /// closes the connection.
    pub(crate) fn receive(&mut self, messages: &mut Vec<Message>) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let result = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.inbox.extend(buffer.iter().take(len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let (whole, rest) = self.inbox.as_chunks();
        for &bytes in whole {
            messages.push(Message::from_bytes(bytes).ok_or(ErrorKind::InvalidData)?);
        }
        self.inbox = rest.to_vec();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Each step gives or takes so many bytes. A step of 0 would block. The stream ends when the steps end.
    #[derive(Default)]
    struct Stream {
        to_read: VecDeque<u8>,
        reads: VecDeque<usize>,
        written: Vec<u8>,
        writes: VecDeque<usize>,
    }

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.reads.pop_front() {
                None => Ok(0),
                Some(0) => Err(ErrorKind::WouldBlock.into()),
                Some(len) => {
                    let bytes: Vec<u8> = self.to_read.drain(..len).collect();
                    buffer[..len].copy_from_slice(&bytes);
                    Ok(len)
                }
            }
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.writes.pop_front() {
                None => Err(ErrorKind::BrokenPipe.into()),
                Some(0) => Err(ErrorKind::WouldBlock.into()),
                Some(len) => {
                    let len = len.min(bytes.len());
                    self.written.extend(&bytes[..len]);
                    Ok(len)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn messages() -> [Message; 3] {
        [
            Message::request(Kind::Logon, 0),
            Message::request(Kind::Order, u64::MAX).answer(),
            Message::request(Kind::Cancel, 0x0102_0304_0506_0708),
        ]
    }

    fn bytes() -> Vec<u8> {
        messages().into_iter().flat_map(Message::to_bytes).collect()
    }

    #[test]
    fn messages_arrive_whole_wherever_they_are_split() {
        for split in 1..bytes().len() {
            let reads = [split, 0, bytes().len() - split, 0].into();
            let mut wire = Wire::new(Stream { to_read: bytes().into(), reads, ..Stream::default() });
            let mut received = Vec::new();
            wire.receive(&mut received).unwrap();
            assert_eq!(received, messages()[..split / LEN]);
            wire.receive(&mut received).unwrap();
            assert_eq!(received, messages());
            let end = wire.receive(&mut received).unwrap_err();
            assert_eq!((end.kind(), received.len()), (ErrorKind::UnexpectedEof, 3));
        }
    }

    #[test]
    fn what_comes_before_the_end_counts() {
        let mut wire = Wire::new(Stream { to_read: bytes().into(), reads: [20].into(), ..Stream::default() });
        let mut received = Vec::new();
        assert!(wire.receive(&mut received).is_err());
        assert_eq!(received, messages()[..2]);
    }

    #[test]
    fn messages_leave_whole_wherever_they_are_split() {
        for split in 1..LEN {
            let mut wire = Wire::new(Stream { writes: [split, 0, 0, 100, 100].into(), ..Stream::default() });
            let [first, second, third] = messages();
            wire.send(first).unwrap();
            assert!(wire.is_backed_up());
            wire.send(second).unwrap();
            assert!(wire.is_backed_up());
            wire.flush().unwrap();
            assert!(!wire.is_backed_up());
            wire.send(third).unwrap();
            assert_eq!(wire.stream.written, bytes());
            assert_eq!(wire.send(first).unwrap_err().kind(), ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn a_message_of_no_known_kind_is_an_error() {
        for what in [0, 4, ANSWER, 0xff] {
            let stream = Stream { to_read: [what; LEN].into(), reads: [LEN, 0].into(), ..Stream::default() };
            let error = Wire::new(stream).receive(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{what}");
        }
    }
}
