//! Reads scenarios. They are text as `README.md` describes it, and become operations that every runner knows.

use crate::lines::Lines;
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
    /// Exactly this.
    Text(String),
    /// Among others these fields, as `key=value`.
    Fields(Vec<(String, String)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) op: Op,
    /// `None` if the operation prints nothing.
    pub(crate) expected: Option<Expected>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: usize,
    /// The languages that the scenario is for, if it isn't for all.
    pub(crate) only: Option<Vec<String>>,
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    pub(crate) fn is_for(&self, language: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == language))
    }
}

pub(crate) const LANGUAGES: [&str; 3] = ["rust", "c", "cpp"];

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

/// The rows of a scenario's `each` line. Without such a line there is one row without names.
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
    let mut lines = Lines::new(scenario);
    for &(number, line) in &block[1..] {
        lines.line = number;
        let mut line = line.to_owned();
        for (name, value) in row {
            line = line.replace(name, value);
        }
        if !line.starts_with("each ") {
            lines.read(&line).map_err(|message| format!("{file}:{number}: {message}"))?;
        }
    }
    if lines.scenario.steps.iter().all(|step| step.expected.is_none()) {
        return Err(format!("{file}:{first}: it expects nothing"));
    }
    Ok(lines.scenario)
}
