//! Turns the lines of a scenario into operations.

use crate::scenario::{Expected, LANGUAGES, Op, Scenario, Step};
use crate::words::{BREAKER, QUANTILE_ONLY, SNAPSHOT};
use crate::words::{number, resumed, settings, yes_or_no};
use std::collections::HashMap;

/// What a name stands for, with the number by which runners know it.
#[derive(Clone, Copy)]
pub(crate) enum Handle {
    Breaker(u64),
    Lane(u64, Part),
    Gate(u64),
    Observer(u64),
    Reader(u64),
    Ticket(u64),
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Whole,
    Begin,
    End,
}

/// Words that can't be names, as a line may begin with them, besides those of the fields.
const VERBS: [&str; 22] = [
    "abandon",
    "allow",
    "begin",
    "call",
    "destroy",
    "end",
    "event",
    "fail",
    "halt",
    "halt_and_resume",
    "halt_as",
    "poll",
    "published",
    "quantile",
    "reconfigure",
    "record",
    "release",
    "resume",
    "resume_as",
    "split",
    "trial",
    "trip",
];

/// Takes in a scenario's lines one by one.
pub(crate) struct Lines {
    pub(crate) scenario: Scenario,
    /// The line at hand.
    pub(crate) line: usize,
    pub(crate) names: HashMap<String, Handle>,
    /// The settings of the `config` line.
    settings: Option<Vec<(String, u64)>>,
    /// How many breakers, lanes (each half is one), readers, tickets, gates and observers there are so far.
    counts: [u64; 6],
}

impl Lines {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self { line: scenario.line, scenario, names: HashMap::new(), settings: None, counts: [0; 6] }
    }

    pub(crate) fn read(&mut self, line: &str) -> Result<(), String> {
        let (line, result) = match line.split_once("->") {
            Some((line, result)) => (line.trim(), Some(result.trim())),
            None => (line, None),
        };
        let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
        if !matches!(word, "only" | "config") && self.settings.is_none() {
            return Err("a scenario begins with `config default` or `config quantile_only`".into());
        }
        match word {
            "only" => self.only(rest),
            "config" => self.config(rest),
            "expect" => self.expect(rest),
            "breaker" => {
                self.create()?;
                self.name(rest, Handle::Breaker(self.counts[0] - 1))
            }
            "lane" => {
                let (name, capacity) = rest.split_once(' ').unwrap_or((rest, "0"));
                self.open(name, capacity).map(|_| ())
            }
            "halves" => self.halves(rest),
            "reader" => self.make(rest, 2, Handle::Reader, "events_open"),
            "gate" => self.make(rest, 4, Handle::Gate, "gate_handle_of"),
            "observer" => self.make(rest, 5, Handle::Observer, "observer_of"),
            "ticket" | "forge" => self.forge(word, rest),
            _ => self.operate(line, result),
        }
    }

    pub(crate) fn push(&mut self, verb: &str, args: &[u64], expected: Option<Expected>) {
        let op = Op { verb: verb.into(), args: args.to_vec() };
        self.scenario.steps.push(Step { line: self.line, op, expected });
    }

    fn name(&mut self, name: &str, handle: Handle) -> Result<(), String> {
        if name.is_empty() || !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
            return Err(format!("`{name}` is no name"));
        }
        if SNAPSHOT.iter().chain(&BREAKER).chain(&VERBS).any(|word| *word == name) {
            return Err(format!("`{name}` has a meaning already"));
        }
        match self.names.insert(name.into(), handle) {
            None => Ok(()),
            Some(_) => Err(format!("there is a `{name}` already")),
        }
    }

    /// `only LANGUAGE, LANGUAGE: REASON`
    fn only(&mut self, rest: &str) -> Result<(), String> {
        let (languages, reason) = rest.split_once(':').unwrap_or((rest, ""));
        let languages: Vec<_> = languages.split(',').map(|language| language.trim().to_owned()).collect();
        if let Some(unknown) = languages.iter().find(|language| !LANGUAGES.contains(&language.as_str())) {
            return Err(format!("`{unknown}` is none of the languages {}", LANGUAGES.join(", ")));
        }
        if reason.trim().is_empty() {
            return Err("it should be `only LANGUAGE, LANGUAGE: REASON`".into());
        }
        self.scenario.only = Some(languages);
        Ok(())
    }

    /// `config default, SETTING VALUE, ...`
    fn config(&mut self, rest: &str) -> Result<(), String> {
        if self.settings.is_some() {
            return Err("there is a config already".into());
        }
        let (base, rest) = rest.split_once(',').unwrap_or((rest, ""));
        // Without jitter, so that deadlines can be written down. The owner may be silent, as few scenarios are about signs of life.
        let mut all = vec![("jitter_ppm".to_owned(), 0), ("owner_timeout_ns".to_owned(), 0)];
        match base.trim() {
            "default" => {}
            "quantile_only" => all.extend(QUANTILE_ONLY.map(|(name, value)| (name.to_owned(), value))),
            other => return Err(format!("`{other}` is neither `default` nor `quantile_only`")),
        }
        all.extend(settings(rest)?);
        self.settings = Some(all);
        self.create()
    }

    /// Another breaker with the settings of the `config` line.
    fn create(&mut self) -> Result<(), String> {
        let settings = self.settings.clone().unwrap_or_default();
        self.push("config", &[], None);
        self.set(&settings);
        self.push("create", &[], None);
        self.counts[0] += 1;
        Ok(())
    }

    fn set(&mut self, settings: &[(String, u64)]) {
        for (name, value) in settings {
            self.push(&format!("set_{name}"), &[*value], None);
        }
    }

    /// What any thread may have of the first breaker. `kind` is its place in the counts.
    fn make(&mut self, name: &str, kind: usize, handle: fn(u64) -> Handle, verb: &str) -> Result<(), String> {
        self.name(name, handle(self.counts[kind]))?;
        self.counts[kind] += 1;
        self.push(verb, &[0], None);
        Ok(())
    }

    /// A new lane's number.
    fn open(&mut self, name: &str, capacity: &str) -> Result<u64, String> {
        let lane = self.counts[1];
        self.name(name, Handle::Lane(lane, Part::Whole))?;
        self.counts[1] += 1;
        self.push("lane_open", &[0, number(capacity)?], None);
        Ok(lane)
    }

    /// `halves BEGIN END [CAPACITY]`
    fn halves(&mut self, rest: &str) -> Result<(), String> {
        let words: Vec<_> = rest.split_whitespace().collect();
        let (begin, end, capacity) = match words[..] {
            [begin, end] => (begin, end, "0"),
            [begin, end, capacity] => (begin, end, capacity),
            _ => return Err("it should be `halves BEGIN END` or `halves BEGIN END CAPACITY`".into()),
        };
        let lane = self.open(begin, capacity)?;
        self.split(lane, end)
    }

    /// The lane is its own begin half from now on, and another one its end half.
    fn split(&mut self, lane: u64, end: &str) -> Result<(), String> {
        self.name(end, Handle::Lane(self.counts[1], Part::End))?;
        self.counts[1] += 1;
        for handle in self.names.values_mut() {
            if matches!(handle, Handle::Lane(number, _) if *number == lane) {
                *handle = Handle::Lane(lane, Part::Begin);
            }
        }
        self.push("lane_split", &[lane], None);
        Ok(())
    }

    /// `ticket NAME START ID`, or `forge NAME OF START_XOR ID_XOR`
    fn forge(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let words: Vec<_> = rest.split_whitespace().collect();
        match (word, words[..].as_ref()) {
            ("ticket", &[name, start_ns, id]) => {
                let slot = self.ticket(Some(name))?;
                self.push("ticket", &[slot, number(start_ns)?, number(id)?], None);
            }
            ("forge", &[name, of, start_xor, id_xor]) => {
                let of = self.slot(of)?;
                let slot = self.ticket(Some(name))?;
                self.push("forge", &[slot, of, number(start_xor)?, number(id_xor)?], None);
            }
            ("ticket", _) => return Err("it should be `ticket NAME START ID`".into()),
            _ => return Err("it should be `forge NAME OF START_XOR ID_XOR`".into()),
        }
        Ok(())
    }

    /// A new ticket's slot.
    fn ticket(&mut self, name: Option<&str>) -> Result<u64, String> {
        let slot = self.counts[3];
        self.counts[3] += 1;
        name.map_or(Ok(()), |name| self.name(name, Handle::Ticket(slot)))?;
        Ok(slot)
    }

    /// A known ticket's slot.
    fn slot(&self, name: &str) -> Result<u64, String> {
        match self.names.get(name) {
            Some(Handle::Ticket(slot)) => Ok(*slot),
            _ => Err(format!("no call has the ticket `{name}`")),
        }
    }

    /// `[@TIME] [WHO] VERB ARGUMENTS [xTIMES] [-> RESULT]`
    fn operate(&mut self, line: &str, result: Option<&str>) -> Result<(), String> {
        let mut words: Vec<_> = line.split_whitespace().collect();
        let times = match words.last().and_then(|word| word.strip_prefix('x')).map(str::parse::<u64>) {
            Some(Ok(times)) => {
                words.pop();
                times
            }
            _ => 1,
        };
        let at = match words.first().and_then(|word| word.strip_prefix('@')) {
            Some(at) => {
                words.remove(0);
                Some(number(at)?)
            }
            None => None,
        };
        let who = match words.first().and_then(|word| self.names.get(*word)) {
            Some(who) => {
                let who = *who;
                words.remove(0);
                who
            }
            None => Handle::Breaker(0),
        };
        let Some((verb, args)) = words.split_first() else { return Err("what is to be done?".into()) };
        if times > 1 && matches!(*verb, "begin") && !args.is_empty() {
            return Err("one name can't stand for several tickets".into());
        }
        for turn in 0..times {
            // Each of several a nanosecond later than the one before.
            let at = at.map(|at| at.saturating_add(turn));
            match who {
                Handle::Breaker(breaker) => self.breaker(breaker, at, verb, args, result)?,
                Handle::Lane(lane, part) => self.lane((lane, part), at, verb, args, result)?,
                Handle::Gate(gate) if at.is_none() => self.gate(gate, verb, args, result)?,
                Handle::Gate(_) => return Err(format!("a gate can't {verb} at a time")),
                Handle::Observer(_) | Handle::Reader(_) | Handle::Ticket(_) => return Err(format!("it can't {verb}")),
            }
        }
        Ok(())
    }

    fn breaker(
        &mut self,
        breaker: u64,
        at: Option<u64>,
        verb: &str,
        args: &[&str],
        result: Option<&str>,
    ) -> Result<(), String> {
        // The forms with a time have it in their names.
        let form = if at.is_some() { format!("{verb}_at") } else { verb.to_owned() };
        let mut head = vec![breaker];
        head.extend(at);
        match (form.as_str(), args) {
            ("allow_at", []) => self.push(&form, &head, Some(yes_or_no(result)?)),
            ("call_at" | "trial_at", [latency_ns]) => {
                let (now_ns, latency_ns) = (at.unwrap_or_default(), number(latency_ns)?);
                if verb == "trial" {
                    self.push("allow_at", &head, Some(Expected::Text("1".into())));
                }
                let slot = self.ticket(None)?;
                self.push("begin_at", &[breaker, now_ns, slot], None);
                self.push("end_at", &[breaker, now_ns.saturating_add(latency_ns), slot], None);
            }
            ("quantile_at" | "quantile", [quantile_ppm]) => {
                head.push(number(quantile_ppm)?);
                let form = if at.is_some() { "quantile_ns_at" } else { "quantile_ns" };
                let result = number(result.ok_or("it should end with `-> LATENCY`")?)?;
                self.push(form, &head, Some(Expected::Text(result.to_string())));
            }
            ("reconfigure_at" | "reconfigure", [_, ..]) => {
                let settings = settings(&args.join(" "))?;
                self.push("config_of", &[breaker], None);
                self.set(&settings);
                let result = Expected::Text(result.unwrap_or("ok").into());
                self.push(&form, &head, Some(result));
            }
            (
                "release_at" | "poll_at" | "halt_at" | "resume_at" | "trip_at" | "release" | "halt" | "resume" | "trip"
                | "destroy",
                [],
            ) => {
                self.push(&form, &head, None);
            }
            ("halt", [reason]) => self.push("halt_with", &[breaker, number(reason)?], None),
            ("halt_as", [holder, reason]) => {
                self.push(&form, &[breaker, number(holder)?, number(reason)?], None);
            }
            ("resume_as", [holder]) => self.push(&form, &[breaker, lifted(holder)?], Some(resumed(result)?)),
            ("halt_and_resume_at", []) => {
                let now_ns = at.unwrap_or_default();
                self.push("halt_at", &[breaker, now_ns], None);
                self.push("resume_at", &[breaker, now_ns.saturating_add(1)], None);
            }
            ("halt_and_resume", []) => {
                self.push("halt", &[breaker], None);
                self.push("resume", &[breaker], None);
            }
            ("abandon", [ticket]) => {
                head.push(self.slot(ticket)?);
                self.push(&form, &head, None);
            }
            _ if at.is_some() => self.report(&form, head, args)?,
            _ => return Err(format!("a breaker can't {verb} {} without a time", args.join(" "))),
        }
        self.refuse_result(&form, result)
    }

    fn lane(
        &mut self,
        (lane, part): (u64, Part),
        at: Option<u64>,
        verb: &str,
        args: &[&str],
        result: Option<&str>,
    ) -> Result<(), String> {
        let foreign = match part {
            Part::Whole => &[][..],
            Part::Begin => &["end", "record_probe", "split"],
            Part::End => &["allow", "release", "begin", "split"],
        };
        if foreign.contains(&verb) && self.scenario.is_for("rust") {
            return Err(format!("this half can't {verb}"));
        }
        let form = if at.is_some() { format!("lane_{verb}_at") } else { format!("lane_{verb}") };
        let mut head = vec![lane];
        head.extend(at);
        match (form.as_str(), args) {
            ("lane_allow", []) => self.push(&form, &head, Some(yes_or_no(result)?)),
            ("lane_release" | "lane_close" | "lane_halt" | "lane_resume", []) => self.push(&form, &head, None),
            ("lane_halt", [reason]) => self.push(&form, &[lane, number(reason)?], None),
            ("lane_split", [end]) => self.split(lane, end)?,
            ("lane_call_at" | "lane_trial_at", [latency_ns]) if part == Part::Whole => {
                let (now_ns, latency_ns) = (at.unwrap_or_default(), number(latency_ns)?);
                if verb == "trial" {
                    self.push("lane_allow", &[lane], Some(Expected::Text("1".into())));
                }
                let slot = self.ticket(None)?;
                self.push("lane_begin_at", &[lane, now_ns, slot], None);
                self.push("lane_end_at", &[lane, now_ns.saturating_add(latency_ns), slot], None);
            }
            _ if at.is_some() => self.report(&form, head, args)?,
            _ => return Err(format!("a lane can't {verb} {} without a time", args.join(" "))),
        }
        self.refuse_result(&form, result)
    }

    fn gate(&mut self, gate: u64, verb: &str, args: &[&str], result: Option<&str>) -> Result<(), String> {
        let form = format!("gate_handle_{verb}");
        match (verb, args) {
            ("allow", []) => self.push(&form, &[gate], Some(yes_or_no(result)?)),
            ("release" | "halt" | "resume" | "close", []) => self.push(&form, &[gate], None),
            ("halt", [reason]) => self.push(&form, &[gate, number(reason)?], None),
            ("halt_as", [holder, reason]) => self.push(&form, &[gate, number(holder)?, number(reason)?], None),
            ("resume_as", [holder]) => self.push(&form, &[gate, lifted(holder)?], Some(resumed(result)?)),
            _ => return Err(format!("a gate can't {verb} {}", args.join(" "))),
        }
        self.refuse_result(&form, result)
    }

    /// What a breaker and a lane are told alike: of calls, and of results without tickets.
    fn report(&mut self, form: &str, mut head: Vec<u64>, args: &[&str]) -> Result<(), String> {
        match (form.trim_start_matches("lane_").trim_end_matches("_at"), args) {
            ("begin", []) => head.push(self.ticket(None)?),
            ("begin", [name]) => head.push(self.ticket(Some(name))?),
            ("end" | "fail" | "abandon", [ticket]) => head.push(self.slot(ticket)?),
            ("record" | "record_failure", [latency_ns]) => head.push(number(latency_ns)?),
            ("record_probe", [latency_ns, ok @ ("good" | "bad")]) => {
                head.extend([number(latency_ns)?, u64::from(*ok == "good")]);
            }
            (verb, _) => return Err(format!("nobody can `{verb} {}` at a time", args.join(" "))),
        }
        self.push(form, &head, None);
        Ok(())
    }

    fn refuse_result(&self, form: &str, result: Option<&str>) -> Result<(), String> {
        let has_result = ["allow", "quantile", "reconfigure", "resume_as"].iter().any(|verb| form.contains(verb));
        if result.is_some() && !has_result { Err(format!("{form} has no result")) } else { Ok(()) }
    }
}

/// Whose halt is lifted: that of a part of the engine, or the latch's.
fn lifted(holder: &str) -> Result<u64, String> {
    if holder == "latch" { Ok(u64::MAX) } else { number(holder) }
}
