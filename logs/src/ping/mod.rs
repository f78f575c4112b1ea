//! What `ping` prints.

mod line;
mod run;

use crate::error::LogError;
use crate::lines::Lines;
use crate::row::{MAX_LATENCY_NS, Row, RowKind};
use line::{Line, parse_line};
use run::{Reply, Run};
use std::io::Read;

/// How the output of ping is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingOptions {
    /// The time from one packet to the next, in nanoseconds: that of `ping -i`. The default is 1 s, as with ping.
    pub interval_ns: u64,
}

impl Default for PingOptions {
    fn default() -> Self {
        Self { interval_ns: 1_000_000_000 }
    }
}

/// What the output of ping had in it, as far as it has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PingCounts {
    /// Rows with a latency.
    pub replies: u64,
    /// Rows without one.
    pub lost: u64,
    /// Further replies to a packet. They are no rows.
    pub duplicates: u64,
    /// Replies that came more than 1,000 packets late. They are no rows: their packets count as lost.
    pub late: u64,
}

/// Reads the output of `ping`, best of `ping -D -O`. Each packet is a row, in order of start.
///
/// - A reply is a call that came back. With `-D` it starts at its stamp less its time, because the stamp is that of the reply. Without `-D`,
///   packet n of a ping starts at n times `interval_ns`.
/// - A packet without a reply never came back, whether ping says so (`no answer yet`, `Request timeout`, `Destination Host Unreachable`) or
///   its `icmp_seq` is left out. With `-D` its start divides the time between the replies around it evenly. Where there is a reply on one side
///   only, the interval tells.
/// - `icmp_seq` begins again at 0 after 65535. So a gap of more than 32,767 packets can't be told.
/// - Packets before the first line count only if the line that begins with `PING` is there. Packets after the last reply count if ping says
///   that they were sent, by a line of their own (`-O`) or in its last lines. The last packet of all may have been on its way when ping was
///   stopped, so without a line of its own it is no row.
/// - A start that is less than an interval before the one above it is moved up to that one: times have microseconds only.
/// - Another ping may follow in the same text.
///
/// ```
/// use trip99_logs::{Ping, PingOptions};
///
/// let text = "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.543 ms\n\
///             64 bytes from 10.0.0.1: icmp_seq=3 ttl=64 time=0.6 ms\n";
/// let rows: Result<Vec<_>, _> = Ping::new(text.as_bytes(), "ping.txt".to_owned(), PingOptions::default()).collect();
/// let latencies: Vec<_> = rows?.iter().map(|row| row.latency_ns).collect();
/// assert_eq!(latencies, [Some(543_000), None, Some(600_000)]);
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
pub struct Ping<R> {
    lines: Lines<R>,
    /// The name that messages use.
    file: String,
    interval_ns: u64,
    counts: PingCounts,
    run: Option<Run>,
    phase: Phase,
    /// Whether the replies have stamps. `None` before the first.
    stamped: Option<bool>,
    /// The start of the last row.
    start_ns: u64,
    /// Where a ping without stamps begins.
    base_ns: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reads,
    /// Another ping begins. The rows of this one are on their way out.
    EndsRun,
    AtEnd,
    Failed,
}

impl<R: Read> Ping<R> {
    /// Every legal line is much shorter.
    const MAX_LEN: u64 = 10_000;
    /// A row waits for so many packets after it, because replies may come in another order.
    const WINDOW: i64 = 1_000;
    /// From one `icmp_seq` to the same one again.
    const WRAP: i64 = 1 << 16;

    /// Reads from `input`. Messages name it `file`.
    pub fn new(input: R, file: String, options: PingOptions) -> Self {
        Self {
            lines: Lines::new(input, Self::MAX_LEN),
            file,
            interval_ns: options.interval_ns,
            counts: PingCounts::default(),
            run: None,
            phase: Phase::Reads,
            stamped: None,
            start_ns: 0,
            base_ns: 0,
        }
    }

    /// What the text had in it, as far as it has been read. It is complete after the last row.
    pub fn counts(&self) -> PingCounts {
        self.counts
    }

    fn error(&self, line: u64, wrong: &str) -> LogError {
        LogError::new(format_args!("{}: line {line}: {wrong}", self.file))
    }

    fn step(&mut self) -> Result<Option<Row>, LogError> {
        loop {
            if let Some(row) = self.next_row()? {
                return Ok(Some(row));
            }
            match self.phase {
                Phase::AtEnd | Phase::Failed => return Ok(None),
                Phase::EndsRun => {
                    self.run = Some(Run::new(1, true));
                    self.base_ns = self.start_ns.saturating_add(self.interval_ns);
                    self.phase = Phase::Reads;
                }
                Phase::Reads => self.read_line()?,
            }
        }
    }

    fn read_line(&mut self) -> Result<(), LogError> {
        let parsed = match self.lines.next() {
            Ok(Some(line)) => parse_line(line),
            Ok(None) => {
                self.phase = Phase::AtEnd;
                return match self.run {
                    Some(_) => Ok(()),
                    None => Err(LogError::new(format_args!(
                        "{}: {} lines and no packet in them; legal: what ping prints, best of ping -D -O",
                        self.file, self.lines.number
                    ))),
                };
            }
            Err(wrong) => Err(wrong),
        };
        let number = self.lines.number;
        let taken = parsed.and_then(|line| self.take(line, number));
        taken.map_err(|wrong| self.error(number, &wrong))
    }

    fn take(&mut self, line: Line, number: u64) -> Result<(), String> {
        match line {
            Line::Other => {}
            Line::Begin => match &self.run {
                Some(run) if run.begun => self.phase = Phase::EndsRun,
                _ => self.run = Some(Run::new(1, true)),
            },
            Line::Sent { packets } => {
                // Without its first line a ping may have sent any number before.
                if let Some(run) = self.run.as_mut().filter(|run| run.headed)
                    && let Some(last) = i64::try_from(packets).ok().and_then(|packets| run.first.checked_add(packets - 2))
                    // More is no figure of this ping.
                    && last - run.last <= Self::WRAP
                {
                    run.last = run.last.max(last);
                    run.begun = true;
                }
            }
            Line::NoReply { seq } => {
                self.run.get_or_insert_with(|| Run::new(seq.into(), false)).sent(seq);
            }
            Line::Reply { seq, stamp_ns, latency_ns, duplicate } => {
                let run = self.run.get_or_insert_with(|| Run::new(seq.into(), false));
                if *self.stamped.get_or_insert(stamp_ns.is_some()) != stamp_ns.is_some() {
                    return Err(
                        "some replies have a stamp and some have none; legal: all or none, as with ping -D".to_owned()
                    );
                }
                let too_long = |stamp_ns: u64| {
                    format!(
                        "the stamp is {stamp_ns} ns since 1970, and the time is longer; legal: the stamp of the reply, in seconds since 1970"
                    )
                };
                let start_ns = match stamp_ns {
                    Some(stamp_ns) => Some(stamp_ns.checked_sub(latency_ns).ok_or_else(|| too_long(stamp_ns))?),
                    None => None,
                };
                let packet = run.sent(seq);
                if duplicate || run.replies.contains_key(&packet) {
                    self.counts.duplicates += 1;
                } else if packet < run.next {
                    self.counts.late += 1;
                } else {
                    run.replies.insert(packet, Reply { start_ns, latency_ns, line: number });
                }
            }
        }
        Ok(())
    }

    /// The next row of this ping, if it needn't wait.
    fn next_row(&mut self) -> Result<Option<Row>, LogError> {
        let Some(run) = &mut self.run else { return Ok(None) };
        let waits = self.phase == Phase::Reads && run.last - run.next <= Self::WINDOW;
        if waits || run.next > run.last {
            return Ok(None);
        }
        let packet = run.next;
        run.next += 1;
        let reply = run.replies.remove(&packet);
        let start_ns = match reply.and_then(|reply| reply.start_ns) {
            Some(start_ns) => {
                let known_ns = run.known.map_or(0, |(_, known_ns)| known_ns);
                run.known = Some((packet, start_ns));
                if start_ns.saturating_add(self.interval_ns) < known_ns {
                    let wrong = format!(
                        "the packet was sent at {start_ns} ns since 1970, before {known_ns} of the packet above; legal: ascending stamps"
                    );
                    return Err(self.error(reply.map_or(0, |reply| reply.line), &wrong));
                }
                start_ns
            }
            None => run.place(packet, self.interval_ns, self.base_ns),
        }
        .max(self.start_ns);
        // A latency is at most as much. So a row ends in a u64.
        if start_ns > MAX_LATENCY_NS {
            let wrong = format!("a packet is at {start_ns} ns; legal: up to {MAX_LATENCY_NS}, by a shorter interval");
            return Err(self.error(self.lines.number, &wrong));
        }
        self.start_ns = start_ns;
        let latency_ns = reply.map(|reply| reply.latency_ns);
        *(if latency_ns.is_some() { &mut self.counts.replies } else { &mut self.counts.lost }) += 1;
        Ok(Some(Row { start_ns, latency_ns, ok: true, kind: RowKind::Ask }))
    }
}

impl<R: Read> Iterator for Ping<R> {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.phase == Phase::Failed {
            return None;
        }
        let row = self.step();
        if row.is_err() {
            self.phase = Phase::Failed;
        }
        row.transpose()
    }
}
