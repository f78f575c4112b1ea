//! What commands ask of a fleet: they say something through each server, again and again, and gather what is answered.

use crate::failure::{Failure, warn};
use crate::keys::{Key, random_id};
use crate::message::{self, Ask, Body, Opened, Records, VERSION};
use crate::net::{Happening, Net, Subjects};
use crate::trust::{Role, Trust};
use async_nats::Subject;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

/// What is to be heard is said this often.
pub const SAY_EVERY: Duration = Duration::from_millis(50);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// When one governor has answered, others are awaited for so long.
const OTHERS_WITHIN: Duration = Duration::from_millis(150);
const INBOX: &str = "inbox";

/// A member who asks.
pub struct Asker {
    /// The fleet's file.
    pub trust: Trust,
    /// The member's key.
    pub key: Key,
    /// The connections.
    pub net: Net,
    /// What is said under which subject.
    pub subjects: Subjects,
    inbox: Subject,
    /// Which server hears it first.
    turn: usize,
    happenings: UnboundedReceiver<Happening>,
    /// What servers have refused, so that each of it is told once.
    told: BTreeSet<String>,
}

impl Asker {
    /// Connects to each server, and waits until one answers.
    ///
    /// # Errors
    /// The fleet's file or the key can't be read; the key has not this role; no server answers.
    pub async fn connect(fleet: &Path, key: &Path, roles: &[Role]) -> Result<Self, Failure> {
        let (trust, key) = (Trust::read(fleet)?, Key::read(key)?);
        let public = key.public();
        if !roles.iter().any(|&role| trust.name(role, &public).is_ok()) {
            let words: Vec<_> = roles.iter().map(|role| format!("[{role}s]")).collect();
            return Err(Failure::new(format_args!(
                "the key {public} may not do this; legal: a key that {} lists below {}, and that isn't revoked",
                fleet.display(),
                words.join(" or ")
            )));
        }
        let (net, happenings) = Net::connect(&trust, &key, "trip99-fleet").await?;
        let (subjects, inbox) = (Subjects::new(&trust.fleet), net.inbox());
        net.hear(&inbox, INBOX).await?;
        let asker = Self { trust, key, net, subjects, inbox, turn: 0, happenings, told: BTreeSet::new() };
        let begin = Instant::now();
        while asker.net.up() == 0 {
            if begin.elapsed() > CONNECT_WITHIN {
                return Err(Failure::new(format_args!(
                    "no server of the fleet answers: {}; legal: servers that run and that this key may use",
                    asker.trust.servers.join(", ")
                )));
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(asker)
    }

    /// Says something through each server, each time through another one first. Answers come to this asker.
    pub async fn say(&mut self, subject: &str, text: &Bytes) {
        self.turn = self.turn.wrapping_add(1);
        self.net.say_in_turn(self.turn, subject, Some(&self.inbox), text.clone()).await;
    }

    /// Says this again and again, and hears answers, until `is_enough` says so or the time is over. True if it was enough.
    pub async fn gather(
        &mut self,
        subject: &str,
        text: &Bytes,
        within: Duration,
        mut is_enough: impl FnMut(&Trust, Opened) -> bool,
    ) -> bool {
        let (begin, mut said) = (Instant::now(), None::<Instant>);
        loop {
            if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                self.say(subject, text).await;
                said = Some(Instant::now());
            }
            match timeout(Duration::from_millis(10), self.happenings.recv()).await {
                Ok(Some(Happening::Message { message, .. })) => {
                    match message::open(&self.trust.fleet, &message.payload) {
                        Ok(opened) => {
                            if is_enough(&self.trust, opened) {
                                return true;
                            }
                        }
                        Err(why) => warn(format_args!("somebody answered by {why}")),
                    }
                }
                Ok(Some(Happening::Refused(what))) => {
                    if self.told.insert(what.clone()) {
                        warn(format_args!("a server says: {what}"));
                    }
                }
                Ok(Some(Happening::Slow(_)) | None) | Err(_) => {}
            }
            if begin.elapsed() >= within {
                return false;
            }
        }
    }

    /// The bucket's lines, all of them, as the governor that has read the most tells.
    ///
    /// # Errors
    /// No governor answers.
    pub async fn lines(&mut self, within: Duration) -> Result<Records, Failure> {
        let mut all: Option<Records> = None;
        let subject = self.subjects.lines();
        loop {
            let after = all.as_ref().and_then(|all| all.records.last()).map_or(0, |record| record.revision);
            let nonce = random_id()?;
            let ask = Ask { v: VERSION, nonce: nonce.clone(), after };
            let text = serde_json::to_string(&ask).map_err(Failure::new)?.into();
            let (mut part, mut heard, mut first): (Option<Records>, BTreeSet<String>, Option<Instant>) =
                Default::default();
            let governors = self.trust.trusted(Role::Governor).count();
            self.gather(&subject, &text, within, |trust, opened| {
                if let Body::Records(records) = opened.body
                    && records.nonce == nonce
                    && trust.name(Role::Governor, &opened.by).is_ok()
                {
                    heard.insert(opened.by);
                    if part.as_ref().is_none_or(|part| part.revision < records.revision) {
                        part = Some(records);
                    }
                }
                // One may be behind.
                let is_late = first.is_some_and(|first| first.elapsed() >= OTHERS_WITHIN);
                first = first.or((!heard.is_empty()).then(Instant::now));
                heard.len() >= governors || is_late
            })
            .await;
            let Some(part) = part else {
                return Err(Failure::not_done(
                    "no governor answers, or none has read the bucket; legal: governors that run, and servers with a majority",
                ));
            };
            let all = match &mut all {
                None => all.insert(part),
                Some(all) if all.bucket == part.bucket => {
                    all.revision = all.revision.max(part.revision);
                    all.records.extend(part.records);
                    all
                }
                Some(_) => return Err(Failure::not_done("the bucket changed while it was read; try again")),
            };
            let has = all.records.last().map_or(0, |record| record.revision);
            if has >= all.revision {
                return Ok(all.clone());
            }
        }
    }
}
