//! Reads scenarios: text as `README.md` describes it becomes operations that every runner knows.

use std::collections::HashMap;
use std::fmt;

/// What one runner is told to do, in one line: a verb, which is the C function's name without its prefix where there is
/// one, and integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) verb: String,
    pub(crate) args: Vec<u64>,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verb)?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))
    }
}

/// What a runner must print for an operation, after the verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Just that.
    Text(String),
    /// Among others these fields, as `key=value`.
    Fields(Vec<(String, String)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) op: Op,
    /// None of an operation that prints nothing.
    pub(crate) expected: Option<Expected>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: usize,
    /// The languages that it is for, if not all.
    pub(crate) only: Option<Vec<String>>,
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    pub(crate) fn is_for(&self, language: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == language))
    }
}

pub(crate) const LANGUAGES: [&str; 3] = ["rust", "c", "cpp"];

const SETTINGS: [&str; 26] = [
    "quantile_ppm",
    "threshold_ns",
    "window_age_ns",
    "window_len",
    "sample_every",
    "min_samples",
    "confirm_verdicts",
    "failure_rate_ppm",
    "consecutive_failures",
    "spike_limit_ns",
    "spike_count",
    "max_in_flight",
    "stall_limit_ns",
    "recover_threshold_ns",
    "recovery",
    "probes",
    "trials_in_flight",
    "backoff_multiplier",
    "probe_timeout_ns",
    "backoff_base_ns",
    "backoff_max_ns",
    "jitter_ppm",
    "start",
    "jitter_seed",
    "stable_after_ns",
    "shadow",
];

/// Every rule off but the quantile's.
const QUANTILE_ONLY: [(&str, u64); 4] =
    [("consecutive_failures", 0), ("spike_count", 0), ("stall_limit_ns", 0), ("failure_rate_ppm", 1_000_000)];

const SNAPSHOT: [&str; 24] = [
    "state",
    "halted",
    "shadow",
    "armed",
    "now_ns",
    "epoch_ns",
    "retry_at_ns",
    "attempt",
    "samples",
    "slow",
    "failed",
    "overdue",
    "in_flight",
    "trials_granted",
    "trials_out",
    "trials_good",
    "recorded",
    "stale",
    "untracked",
    "refused",
    "refused_in_shadow",
    "misused",
    "dropped",
    "events",
];

/// What a breaker is asked for besides its snapshot.
const BREAKER: [&str; 2] = ["passes", "deadline"];

const LANE: [&str; 2] = ["passes", "dropped"];

const EVENT: [&str; 13] = [
    "sequence",
    "t_ns",
    "from",
    "to",
    "reason",
    "quantile_ns",
    "retry_at_ns",
    "owner_gap_ns",
    "samples",
    "slow",
    "overdue",
    "failures",
    "attempt",
];

const STATES: [&str; 3] = ["closed", "open", "half_open"];

const REASONS: [&str; 12] = [
    "latency",
    "failure_rate",
    "consecutive_failures",
    "spike",
    "stall",
    "retry",
    "probe_failed",
    "probe_slow",
    "probe_lost",
    "recovered",
    "halt",
    "resume",
];

/// What a name stands for, with the number by which runners know it.
#[derive(Clone, Copy)]
enum Handle {
    Breaker(u64),
    Lane(u64),
    Reader(u64),
    Ticket(u64),
}

/// Reads a file's scenarios.
///
/// # Errors
/// The first mistake, as `file:line: what is wrong`.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, String> {
    let mut blocks: Vec<Vec<(usize, &str)>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with("scenario ") {
            blocks.push(Vec::new());
        }
        match blocks.last_mut() {
            _ if line.is_empty() => {}
            Some(block) => block.push((number, line)),
            None => return Err(format!("{file}:{number}: a file begins with `scenario NAME`")),
        }
    }
    let mut scenarios = Vec::new();
    for block in blocks {
        for row in rows(&block).map_err(|(line, message)| format!("{file}:{line}: {message}"))? {
            scenarios.push(scenario(file, &block, &row)?);
        }
    }
    Ok(scenarios)
}

/// One row of an `each` line: names, and what they stand for. The longest name comes first, as another may begin like it.
type Row = Vec<(String, String)>;

/// The rows of a scenario's `each` line; one without names if there is none.
fn rows(block: &[(usize, &str)]) -> Result<Vec<Row>, (usize, String)> {
    let Some(&(number, line)) = block.iter().find(|(_, line)| line.starts_with("each ")) else {
        return Ok(vec![Row::new()]);
    };
    let wrong = || (number, "it should be `each $NAME $NAME: VALUE VALUE | VALUE VALUE`".to_owned());
    let (names, table) = line["each ".len()..].split_once(':').ok_or_else(wrong)?;
    let names: Vec<_> = names.split_whitespace().collect();
    if names.is_empty() || names.iter().any(|name| !name.starts_with('$')) {
        return Err(wrong());
    }
    let mut rows = Vec::new();
    for values in table.split('|') {
        let values: Vec<_> = values.split_whitespace().collect();
        if values.len() != names.len() {
            return Err(wrong());
        }
        let mut row: Row = names.iter().zip(values).map(|(name, value)| ((*name).into(), value.into())).collect();
        row.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        rows.push(row);
    }
    Ok(rows)
}

fn scenario(file: &str, block: &[(usize, &str)], row: &Row) -> Result<Scenario, String> {
    let (first, header) = block[0];
    let mut name = header["scenario ".len()..].trim().to_owned();
    if !row.is_empty() {
        let row: Vec<_> = row.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        name = format!("{name} ({})", row.join(", "));
    }
    let scenario = Scenario { name, file: file.into(), line: first, only: None, steps: Vec::new() };
    let mut reader = Reader { scenario, line: first, names: HashMap::new(), settings: None, counts: [0; 4] };
    for &(number, line) in &block[1..] {
        reader.line = number;
        let mut line = line.to_owned();
        for (name, value) in row {
            line = line.replace(name, value);
        }
        if !line.starts_with("each ") {
            reader.read(&line).map_err(|message| format!("{file}:{number}: {message}"))?;
        }
    }
    if reader.scenario.steps.iter().all(|step| step.expected.is_none()) {
        return Err(format!("{file}:{first}: it expects nothing"));
    }
    Ok(reader.scenario)
}

struct Reader {
    scenario: Scenario,
    line: usize,
    names: HashMap<String, Handle>,
    /// Those of the `config` line.
    settings: Option<Vec<(String, u64)>>,
    /// How many breakers, lanes, readers and tickets there are so far.
    counts: [u64; 4],
}

impl Reader {
    fn read(&mut self, line: &str) -> Result<(), String> {
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
                let (name, messages) = rest.split_once(' ').unwrap_or((rest, "0"));
                self.name(name, Handle::Lane(self.counts[1]))?;
                self.counts[1] += 1;
                self.push("lane_open", &[0, number(messages)?], None);
                Ok(())
            }
            "reader" => {
                self.name(rest, Handle::Reader(self.counts[2]))?;
                self.counts[2] += 1;
                self.push("events_open", &[0], None);
                Ok(())
            }
            "ticket" | "forge" => self.forge(word, rest),
            _ => self.operate(line, result),
        }
    }

    fn push(&mut self, verb: &str, args: &[u64], expected: Option<Expected>) {
        let op = Op { verb: verb.into(), args: args.to_vec() };
        self.scenario.steps.push(Step { line: self.line, op, expected });
    }

    fn name(&mut self, name: &str, handle: Handle) -> Result<(), String> {
        if name.is_empty() || !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
            return Err(format!("`{name}` is no name"));
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
        // Without jitter, so that deadlines can be written down.
        let mut all = vec![("jitter_ppm".to_owned(), 0)];
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
            let at = at.map(|at| at + turn);
            match who {
                Handle::Breaker(breaker) => self.breaker(breaker, at, verb, args, result)?,
                Handle::Lane(lane) => self.lane(lane, at, verb, args, result)?,
                Handle::Reader(_) | Handle::Ticket(_) => return Err(format!("it can't {verb}")),
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
                self.push("end_at", &[breaker, now_ns + latency_ns, slot], None);
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
            ("release_at" | "poll_at" | "halt_at" | "resume_at" | "release" | "halt" | "resume" | "destroy", []) => {
                self.push(&form, &head, None);
            }
            ("halt_and_resume_at", []) => {
                let now_ns = at.unwrap_or_default();
                self.push("halt_at", &[breaker, now_ns], None);
                self.push("resume_at", &[breaker, now_ns + 1], None);
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
        lane: u64,
        at: Option<u64>,
        verb: &str,
        args: &[&str],
        result: Option<&str>,
    ) -> Result<(), String> {
        let form = if at.is_some() { format!("lane_{verb}_at") } else { format!("lane_{verb}") };
        let mut head = vec![lane];
        head.extend(at);
        match (form.as_str(), args) {
            ("lane_allow", []) => self.push(&form, &head, Some(yes_or_no(result)?)),
            ("lane_release" | "lane_close", []) => self.push(&form, &head, None),
            ("lane_call_at" | "lane_trial_at", [latency_ns]) => {
                let (now_ns, latency_ns) = (at.unwrap_or_default(), number(latency_ns)?);
                if verb == "trial" {
                    self.push("lane_allow", &[lane], Some(Expected::Text("1".into())));
                }
                let slot = self.ticket(None)?;
                self.push("lane_begin_at", &[lane, now_ns, slot], None);
                self.push("lane_end_at", &[lane, now_ns + latency_ns, slot], None);
            }
            _ if at.is_some() => self.report(&form, head, args)?,
            _ => return Err(format!("a lane can't {verb} {} without a time", args.join(" "))),
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
        let has_result = ["allow", "quantile", "reconfigure"].iter().any(|verb| form.contains(verb));
        if result.is_some() && !has_result { Err(format!("{form} has no result")) } else { Ok(()) }
    }

    fn expect(&mut self, rest: &str) -> Result<(), String> {
        let (word, fields_of) = rest.split_once(' ').map_or((rest, ""), |(word, fields)| (word, fields.trim()));
        match (word, self.names.get(word).copied()) {
            ("event", _) => self.push("last_event", &[0], Some(fields_or_none(fields_of, &EVENT)?)),
            ("published", _) if fields_of == "latest" => {
                self.push("published_is_latest", &[0], Some(Expected::Text("1".into())));
            }
            ("published", _) => self.push("published", &[0], Some(fields_or_none(fields_of, &SNAPSHOT)?)),
            // `events` is also a field: how many there were.
            ("events", _) if number(fields_of.split(',').next().unwrap_or_default()).is_err() => {
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
            (_, Some(Handle::Lane(lane))) => self.push("lane_observe", &[lane], Some(fields(fields_of, &LANE)?)),
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

fn yes_or_no(result: Option<&str>) -> Result<Expected, String> {
    match result {
        Some("yes") => Ok(Expected::Text("1".into())),
        Some("no") => Ok(Expected::Text("0".into())),
        _ => Err("it should end with `-> yes` or `-> no`".into()),
    }
}

/// `NAME VALUE, NAME VALUE`
fn pairs(text: &str) -> impl Iterator<Item = Result<(&str, &str), String>> {
    text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once(' ').ok_or_else(|| format!("`{pair}` should be NAME VALUE"))?;
        Ok((name, value.trim()))
    })
}

fn settings(text: &str) -> Result<Vec<(String, u64)>, String> {
    pairs(text)
        .map(|pair| {
            let (name, value) = pair?;
            if !SETTINGS.contains(&name) {
                return Err(format!("`{name}` is no setting"));
            }
            let value = match value {
                "no" | "closed" | "trials" => 0,
                "yes" | "open" | "health_checks" => 1,
                "half_open" => 2,
                value => number(value)?,
            };
            Ok((name.to_owned(), value))
        })
        .collect()
}

fn fields(text: &str, known: &[&str]) -> Result<Expected, String> {
    let fields = pairs(text).map(|pair| {
        let (name, value) = pair?;
        if !known.contains(&name) {
            return Err(format!("`{name}` is not among {}", known.join(", ")));
        }
        let value = match (name, value) {
            ("state" | "from" | "to", _) if STATES.contains(&value) => value.to_owned(),
            ("reason", _) if REASONS.contains(&value) => value.to_owned(),
            ("state" | "from" | "to" | "reason", _) => return Err(format!("`{value}` is no {name}")),
            (_, "yes") => "1".into(),
            (_, "no") => "0".into(),
            _ => number(value)?.to_string(),
        };
        Ok((name.to_owned(), value))
    });
    fields.collect::<Result<_, _>>().map(Expected::Fields)
}

fn fields_or_none(text: &str, known: &[&str]) -> Result<Expected, String> {
    if text == "none" { Ok(Expected::Text("none".into())) } else { fields(text, known) }
}

/// Nanoseconds, or a plain number: `1.2s+160ms-1`, `never` (the greatest there is).
fn number(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no number, nor a time such as 1.2s+160ms-1 or never");
    let mut sum = 0_u64;
    let mut rest = text;
    let mut minus = false;
    loop {
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let term = term(&rest[..end]).ok_or_else(wrong)?;
        sum = if minus { sum.checked_sub(term) } else { sum.checked_add(term) }.ok_or_else(wrong)?;
        if end == rest.len() {
            return Ok(sum);
        }
        minus = rest[end..].starts_with('-');
        rest = &rest[end + 1..];
    }
}

fn term(text: &str) -> Option<u64> {
    if text == "never" {
        return Some(u64::MAX);
    }
    let digits = text.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(text.len());
    let unit: u64 = match &text[digits..] {
        "" | "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = text[..digits].split_once('.').unwrap_or((&text[..digits], ""));
    let mut ns = whole.replace('_', "").parse::<u64>().ok()?.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.chars() {
        place /= 10;
        ns += u64::from(digit.to_digit(10)?) * place;
    }
    Some(ns)
}
