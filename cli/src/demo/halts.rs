//! An operator may halt the demo's breaker while the demo runs. This file says what that means for the script.

use crate::failure::Failure;
use crate::show::show_ns;
use trip99::{Event, Reason};

/// An operator needs less time than this to look round. A demo that nobody resumes ends after it.
const PATIENCE_NS: u64 = 60_000_000_000;

#[derive(Default)]
pub(crate) struct Halts {
    count: u64,
    /// How long the halts lasted that are over.
    ns: u64,
    /// When the halt in force began.
    since_ns: Option<u64>,
    /// When somebody resumed last in this halt. Others may hold it.
    resumed_ns: Option<u64>,
}

impl Halts {
    /// Takes in an event. It says when somebody halted or resumed, but not whether others hold a halt.
    pub(crate) fn note(&mut self, event: &Event) {
        match event.reason {
            Reason::Halt => {
                self.begin(event.t_ns);
                self.resumed_ns = None;
            }
            Reason::Resume => self.resumed_ns = Some(event.t_ns),
            _ => {}
        }
    }

    /// Takes in whether trading is halted now, after the events so far.
    pub(crate) fn look(&mut self, is_halted: bool, now_ns: u64) {
        match self.since_ns {
            None if is_halted => self.begin(now_ns),
            Some(since_ns) if !is_halted => {
                self.ns += self.resumed_ns.unwrap_or(now_ns).saturating_sub(since_ns);
                (self.since_ns, self.resumed_ns) = (None, None);
            }
            _ => {}
        }
    }

    fn begin(&mut self, at_ns: u64) {
        if self.since_ns.is_none() {
            self.count += 1;
            self.since_ns = Some(at_ns);
        }
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.since_ns.is_some()
    }

    /// How long the breaker was halted in all.
    pub(crate) fn total_ns(&self, now_ns: u64) -> u64 {
        self.ns + self.so_far_ns(now_ns)
    }

    pub(crate) fn is_too_long(&self, now_ns: u64) -> bool {
        self.so_far_ns(now_ns) >= PATIENCE_NS
    }

    fn so_far_ns(&self, now_ns: u64) -> u64 {
        self.since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns))
    }

    /// `None` if there was no halt.
    pub(crate) fn show(&self, now_ns: u64) -> Option<String> {
        let times = if self.count == 1 { "once".to_owned() } else { format!("{} times", self.count) };
        let text = format!("{times}, {} in all, by an operator; the script waited", show_ns(self.total_ns(now_ns)));
        (self.count > 0).then_some(text)
    }

    /// An error if nobody resumed. The script didn't end then, so there is nothing to judge the breaker by.
    pub(crate) fn judge(&self, now_ns: u64) -> Result<(), Failure> {
        if self.is_too_long(now_ns) {
            let so_far = show_ns(self.so_far_ns(now_ns));
            return Err(Failure::new(format_args!(
                "trading was halted by an operator, and nobody resumed it for {so_far}; the script could not go on"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::{Breaker, Config, Holder};

    const S: u64 = 1_000_000_000;

    #[test]
    fn halts_are_added_up_and_one_that_nobody_ends_is_an_error() {
        let mut breaker = Breaker::new(Config::default()).unwrap();
        let (observer, mut events) = (breaker.observer(), breaker.events());
        let mut halts = Halts::default();
        let mut watch = |halts: &mut Halts, now_ns| {
            events.by_ref().for_each(|event| halts.note(&event));
            halts.look(observer.is_halted(), now_ns);
        };
        assert_eq!(halts.show(0), None);
        breaker.halt_at(10 * S, "");
        watch(&mut halts, 12 * S);
        assert_eq!((halts.is_halted(), halts.total_ns(12 * S)), (true, 2 * S));
        breaker.resume_at(13 * S, "");
        breaker.poll_at(13 * S);
        watch(&mut halts, 14 * S);
        assert_eq!((halts.is_halted(), halts.total_ns(14 * S)), (false, 3 * S));
        breaker.halt_at(20 * S, "");
        watch(&mut halts, 24 * S);
        assert_eq!(halts.total_ns(24 * S), 7 * S);
        assert_eq!(halts.show(24 * S).unwrap(), "2 times, 7 s in all, by an operator; the script waited");
        assert!(!halts.is_too_long(20 * S + PATIENCE_NS - 1) && halts.judge(20 * S + PATIENCE_NS - 1).is_ok());
        assert!(halts.is_too_long(20 * S + PATIENCE_NS) && halts.judge(20 * S + PATIENCE_NS).is_err());
        breaker.resume_at(100 * S, "");
        breaker.poll_at(100 * S);
        watch(&mut halts, 101 * S);
        assert_eq!((halts.is_halted(), halts.total_ns(200 * S)), (false, 83 * S));
        assert!(halts.judge(200 * S).is_ok());
    }

    #[test]
    fn a_halt_goes_on_while_anybody_holds_one() {
        let mut breaker = Breaker::new(Config::default()).unwrap();
        let (gate, mut events) = (breaker.gate(), breaker.events());
        let mut halts = Halts::default();
        let mut watch = |halts: &mut Halts, now_ns| {
            events.by_ref().for_each(|event| halts.note(&event));
            halts.look(gate.is_halted(), now_ns);
        };
        let risk = Holder::engine("risk");
        breaker.halt_at(10 * S, "");
        gate.halt_as(risk, "");
        breaker.poll_at(11 * S);
        breaker.resume_at(12 * S, "");
        breaker.poll_at(12 * S);
        watch(&mut halts, 13 * S);
        assert!(halts.is_halted(), "risk holds it");
        gate.resume_as(risk, "");
        breaker.poll_at(15 * S);
        watch(&mut halts, 16 * S);
        assert_eq!((halts.is_halted(), halts.total_ns(16 * S)), (false, 5 * S));
        // One that was there before the demo has no event.
        let mut halts = Halts::default();
        halts.look(true, 3 * S);
        halts.look(false, 5 * S);
        assert_eq!((halts.is_halted(), halts.total_ns(9 * S)), (false, 2 * S));
    }
}
