//! What several commands have in common: who asks, in which form the answer is shown, and reports of agents.

use crate::failure::Failure;
use crate::keys::random_id;
use crate::message::{self, Ask, Body, Report, VERSION};
use crate::trust::{Role, Trust};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::ask::Asker;

/// Who asks which fleet.
#[derive(Args, Clone, Debug)]
pub struct Who {
    /// The fleet's file, as `trip99-fleet keys` makes it
    #[arg(long, value_name = "FILE", env = "TRIP99_FLEET", default_value = "/etc/trip99/fleet.toml")]
    pub fleet: PathBuf,
    /// The file of your key: a seed (SU...) that only you may read
    #[arg(long, value_name = "FILE", env = "TRIP99_FLEET_KEY")]
    pub key: PathBuf,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// A span as `500ms` or `3s`.
///
/// # Errors
/// It is none.
pub fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; legal: a time as 500ms or 3s"))
}

/// Who acts: the user who logged in, at this host; or the name that was given.
///
/// # Errors
/// The name is none.
pub fn who(name: Option<&str>) -> Result<String, Failure> {
    match name {
        Some(name) => trip99::Holder::new(name)
            .map(|holder| holder.to_string())
            .map_err(|error| Failure::new(format_args!("--as {error}"))),
        None => Ok(trip99::shared::login().to_string()),
    }
}

/// A reason that can be kept; empty if there is none.
pub fn reason(given: Option<&str>) -> String {
    message::clean(given.unwrap_or_default())
}

/// The latest report of each agent that answered, by the agent's name.
pub type Reports = BTreeMap<String, Report>;

/// Takes in an agent's report about this. False if it is none, or is signed by nobody who is an agent.
pub fn take_report(trust: &Trust, opened: message::Opened, about: &str, reports: &mut Reports) -> bool {
    let Body::Report(report) = opened.body else { return false };
    let Ok(agent) = trust.name(Role::Agent, &opened.by) else { return false };
    let is_meant = report.about == about;
    if is_meant {
        reports.insert(agent.to_owned(), report);
    }
    is_meant
}

/// Asks each agent how things are.
///
/// # Errors
/// The operating system has no random bytes.
pub async fn ask_agents(asker: &mut Asker, within: Duration) -> Result<Reports, Failure> {
    let nonce = random_id()?;
    let ask = Ask { v: VERSION, nonce: nonce.clone(), after: 0 };
    let text = serde_json::to_string(&ask).map_err(Failure::new)?.into();
    let (mut reports, agents) = (Reports::new(), agents(&asker.trust));
    let subject = asker.subjects.status();
    asker
        .gather(&subject, &text, within, |trust, opened| {
            take_report(trust, opened, &nonce, &mut reports);
            reports.len() >= agents.len()
        })
        .await;
    Ok(reports)
}

/// The names of all agents whose keys count.
pub fn agents(trust: &Trust) -> Vec<String> {
    trust.trusted(Role::Agent).map(|(name, _)| name.to_owned()).collect()
}

/// Prints. A reader that went away is no failure.
///
/// # Errors
/// The text can't be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(error)),
        _ => Ok(()),
    }
}
