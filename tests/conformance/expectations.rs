//! Turns the lines that begin with `expect` into operations that observe.

use crate::lines::{Handle, Lines};
use crate::scenario::Expected;
use crate::words::{BREAKER, EVENT, LANE, OBSERVER, REASONS, SNAPSHOT};
use crate::words::{fields, fields_or_none, number};

impl Lines {
    pub(crate) fn expect(&mut self, rest: &str) -> Result<(), String> {
        let (word, fields_of) = rest.split_once(' ').map_or((rest, ""), |(word, fields)| (word, fields.trim()));
        match (word, self.names.get(word).copied()) {
            ("event", _) => self.push("last_event", &[0], Some(fields_or_none(fields_of, &EVENT)?)),
            ("published", _) if fields_of == "latest" => {
                self.push("published_is_latest", &[0], Some(Expected::Text("1".into())));
            }
            ("published", _) => self.push("published", &[0], Some(fields_or_none(fields_of, &SNAPSHOT)?)),
            // `events` is also a field: how many there were.
            ("events", None) if number(fields_of.split(',').next().unwrap_or_default()).is_err() => {
                let reasons: Vec<_> = fields_of.split(',').map(str::trim).filter(|reason| !reason.is_empty()).collect();
                if let Some(unknown) = reasons.iter().find(|reason| !REASONS.contains(reason)) {
                    return Err(format!("`{unknown}` is no reason"));
                }
                self.push("reasons", &[0], Some(Expected::Text(reasons.join(" "))));
            }
            (_, Some(Handle::Breaker(breaker))) => {
                let known: Vec<_> = SNAPSHOT.into_iter().chain(BREAKER).collect();
                self.push("observe", &[breaker], Some(fields(fields_of, &known)?));
            }
            (_, Some(Handle::Lane(lane, _))) => {
                let known: Vec<_> = OBSERVER.into_iter().chain(LANE).collect();
                self.push("lane_observe", &[lane], Some(fields(fields_of, &known)?));
            }
            (_, Some(Handle::Gate(gate))) => {
                let known: Vec<_> = OBSERVER.into_iter().chain(["passes"]).collect();
                self.push("gate_handle_observe", &[gate], Some(fields(fields_of, &known)?));
            }
            (_, Some(Handle::Observer(observer))) => {
                self.push("observer_observe", &[observer], Some(fields(fields_of, &OBSERVER)?));
            }
            (_, Some(Handle::Ticket(slot))) => {
                self.push("start_of", &[slot], Some(fields(fields_of, &["start_ns"])?));
            }
            (_, Some(Handle::Reader(reader))) => self.expect_reader(reader, fields_of)?,
            _ => {
                let known: Vec<_> = SNAPSHOT.into_iter().chain(BREAKER).collect();
                self.push("observe", &[0], Some(fields(rest, &known)?));
            }
        }
        Ok(())
    }

    /// `none`, `missed COUNT`, or `next FIELDS [xTIMES]`, where the sequence number grows
    fn expect_reader(&mut self, reader: u64, rest: &str) -> Result<(), String> {
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "none" => self.push("events_next", &[reader], Some(Expected::Text("none".into()))),
            "missed" => {
                let missed = number(rest)?.to_string();
                self.push("events_missed", &[reader], Some(Expected::Text(missed)));
            }
            "next" => {
                let (rest, times) = match rest.rsplit_once('x').map(|(rest, times)| (rest, times.parse())) {
                    Some((rest, Ok(times))) => (rest.trim(), times),
                    _ => (rest, 1),
                };
                let Expected::Fields(mut expected) = fields(rest, &EVENT)? else { unreachable!("fields") };
                for _ in 0..times {
                    self.push("events_next", &[reader], Some(Expected::Fields(expected.clone())));
                    if let Some((_, sequence)) = expected.iter_mut().find(|(name, _)| name == "sequence") {
                        *sequence = (number(sequence)? + 1).to_string();
                    }
                }
            }
            _ => return Err("it should be `none`, `missed COUNT`, or `next FIELDS [xTIMES]`".into()),
        }
        Ok(())
    }
}
