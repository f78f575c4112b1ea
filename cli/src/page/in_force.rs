//! The settings in force, and which events they were in force at.

use trip99::{Config, Event, Observer, Reason};

pub(crate) struct InForce {
    /// `None` if they can't be read.
    pub(crate) config: Option<Config>,
    /// The number of the latest event that may have changed the settings; `None` if the journal has none, and has lost none.
    since: Option<u64>,
}

impl InForce {
    pub(crate) fn read(observer: &Observer) -> Self {
        loop {
            let since = latest_change(observer);
            let config = observer.config();
            // Settings that changed in between may be those of before or of after.
            if latest_change(observer) == since {
                return Self { config, since };
            }
        }
    }

    /// Takes in an event that was read later than the settings: it may have changed them.
    pub(crate) fn note(&mut self, event: &Event, observer: &Observer) {
        if may_change(event) && self.since < Some(event.sequence) {
            *self = Self::read(observer);
        }
    }

    /// The settings that were in force at an event; `None` if that isn't known, since others may have been in force then.
    pub(crate) fn at(&self, event: &Event) -> Option<&Config> {
        self.config.as_ref().filter(|_| self.since <= Some(event.sequence))
    }

    /// The quantile that was judged at an event, if that is known.
    pub(crate) fn quantile_ppm(&self, event: &Event) -> Option<u32> {
        self.at(event).map(|config| config.quantile_ppm)
    }
}

/// A new owner may have other settings.
fn may_change(event: &Event) -> bool {
    matches!(event.reason, Reason::Restart | Reason::Reconfigured)
}

fn latest_change(observer: &Observer) -> Option<u64> {
    let mut events = observer.events().peekable();
    // Those that were overwritten may have changed the settings, too.
    let lost = events.peek().and_then(|event| event.sequence.checked_sub(1));
    events.filter(may_change).last().map(|event| event.sequence).or(lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::Breaker;

    #[test]
    fn the_quantile_is_known_of_events_since_the_settings_changed() {
        const S: u64 = 1_000_000_000;
        let config = Config { spike_count: 1, ..Config::default() };
        let mut breaker = Breaker::new(config.clone()).unwrap();
        let observer = breaker.observer();
        let mut in_force = InForce::read(&observer);
        breaker.record_at(S, S);
        let trip = observer.events().next().unwrap();
        in_force.note(&trip, &observer);
        assert_eq!(in_force.quantile_ppm(&trip), Some(990_000));

        breaker.reconfigure_at(S, &Config { quantile_ppm: 500_000, ..config }).unwrap();
        breaker.poll_at(3 * S);
        for (event, quantile_ppm) in observer.events().zip([None, Some(500_000), Some(500_000)]) {
            in_force.note(&event, &observer);
            assert_eq!(InForce::read(&observer).quantile_ppm(&event), quantile_ppm, "{}", event.reason);
        }
        assert_eq!(in_force.quantile_ppm(&observer.events().last().unwrap()), Some(500_000));
        assert_eq!(in_force.quantile_ppm(&trip), None);
    }
}
