//! The bucket: a stream with the name and the subjects of a KV bucket, kept by the servers. Only governors touch it.
//!
//! Its lines are never changed, and never removed. The first one names the bucket, so that one that was made anew is told from it. Reads go
//! to the leader (`STREAM.MSG.GET`): a direct get might come from a follower.

use crate::message::Id;
use crate::net::Net;
use async_nats::HeaderMap;
use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// A leader that doesn't answer within this is asked through another server.
const WITHIN: Duration = Duration::from_millis(400);

/// To write waits for the disks of a majority.
const WRITTEN_WITHIN: Duration = Duration::from_millis(1200);

/// Why the bucket can't be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answered. What was to be written may have been written.
    Silence,
    /// The line isn't the next one any more.
    Moved,
    /// There is no such bucket, or no such line.
    None,
    /// Anything else.
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => f.write_str("the bucket's leader doesn't answer: have the servers a majority?"),
            Self::Moved => f.write_str("somebody wrote to the bucket meanwhile"),
            Self::None => f.write_str("there is no such line of the bucket"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A line as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its revision.
    pub revision: u64,
    /// The bucket that it says that it is in.
    pub bucket: String,
    /// The signed message.
    pub envelope: String,
}

/// The bucket of a fleet.
pub struct Bucket {
    name: String,
    replicas: u32,
    /// The server through which the leader answered last.
    through: AtomicUsize,
}

/// Says in each line which bucket it is in.
const MARK: &str = "Trip99-Bucket";

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Answered {
    error: Option<Refusal>,
    message: Option<Message>,
    seq: Option<u64>,
}

#[derive(Deserialize)]
struct Message {
    seq: u64,
    #[serde(default)]
    data: String,
    #[serde(default)]
    hdrs: String,
}

impl Bucket {
    /// The bucket of this fleet.
    pub fn new(fleet: &str, replicas: u32) -> Self {
        Self { name: format!("trip99_{fleet}"), replicas, through: AtomicUsize::new(0) }
    }

    fn stream(&self) -> String {
        format!("KV_{}", self.name)
    }

    /// Makes the bucket, if there is none.
    ///
    /// # Errors
    /// It can't be made: there is no majority, or it was made otherwise.
    pub async fn make(&self, net: &Net, id: &str) -> Result<(), Trouble> {
        let stream = self.stream();
        let settings = json!({
            "name": stream, "subjects": [format!("$KV.{}.>", self.name)], "retention": "limits", "storage": "file",
            "max_msgs_per_subject": 1, "discard": "new", "num_replicas": self.replicas, "max_age": 0, "max_bytes": -1,
            "max_msgs": -1, "max_msg_size": 65536, "deny_delete": true, "deny_purge": true, "allow_rollup_hdrs": false,
            "allow_direct": false,
        });
        let subject = format!("$JS.API.STREAM.CREATE.{stream}");
        let made = self.ask(net, &subject, None, settings.to_string().into(), Duration::from_secs(3)).await;
        match made {
            Ok(_) => {}
            // The name is in use: it is there, perhaps with other settings, such as fewer copies. Those stay.
            Err(Trouble::Other(what)) if what.contains("already in use") => {}
            Err(trouble) => return Err(trouble),
        }
        match self.put(net, "bucket", id, "", Some(0)).await {
            Ok(_) | Err(Trouble::Moved) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// The latest line, as the leader has it.
    ///
    /// # Errors
    /// The leader doesn't answer, or there is no line.
    pub async fn last(&self, net: &Net) -> Result<Stored, Trouble> {
        self.get(net, json!({ "last_by_subj": format!("$KV.{}.>", self.name) })).await
    }

    /// A line, as the leader has it.
    ///
    /// # Errors
    /// The leader doesn't answer, or there is no such line.
    pub async fn line(&self, net: &Net, revision: u64) -> Result<Stored, Trouble> {
        self.get(net, json!({ "seq": revision })).await
    }

    async fn get(&self, net: &Net, which: Value) -> Result<Stored, Trouble> {
        let subject = format!("$JS.API.STREAM.MSG.GET.{}", self.stream());
        let answered = self.ask(net, &subject, None, which.to_string().into(), WITHIN).await?;
        let Message { seq, data, hdrs } = answered.message.ok_or(Trouble::None)?;
        let text = |base64: &str| {
            let bytes = BASE64.decode(base64.as_bytes()).ok()?;
            String::from_utf8(bytes).ok()
        };
        let odd = || Trouble::Other(format!("line {seq} of the bucket is none of a fleet's"));
        let headers = text(&hdrs).ok_or_else(odd)?;
        let mark = headers.lines().find_map(|line| line.strip_prefix(MARK)?.strip_prefix(':'));
        let bucket = mark.ok_or_else(odd)?.trim().to_owned();
        Ok(Stored { revision: seq, bucket, envelope: text(&data).ok_or_else(odd)? })
    }

    /// Writes a halt, unless it is there. Returns its revision.
    ///
    /// # Errors
    /// `Moved` if it is there.
    pub async fn put_halt(&self, net: &Net, bucket: &str, id: &Id, envelope: &str) -> Result<u64, Trouble> {
        self.put(net, &format!("halt.{id}"), bucket, envelope, None).await
    }

    /// Writes a resume, as the line after this revision. Returns its own revision.
    ///
    /// # Errors
    /// `Moved` if it can't be that line.
    pub async fn put_resume(
        &self,
        net: &Net,
        bucket: &str,
        id: &Id,
        envelope: &str,
        after: u64,
    ) -> Result<u64, Trouble> {
        self.put(net, &format!("resume.{id}"), bucket, envelope, Some(after)).await
    }

    async fn put(
        &self,
        net: &Net,
        key: &str,
        bucket: &str,
        envelope: &str,
        after: Option<u64>,
    ) -> Result<u64, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(MARK, bucket);
        match after {
            Some(after) => headers.insert("Nats-Expected-Last-Sequence", after.to_string()),
            None => headers.insert("Nats-Expected-Last-Subject-Sequence", "0"),
        }
        let subject = format!("$KV.{}.{key}", self.name);
        let answered = self.ask(net, &subject, Some(headers), envelope.to_owned().into(), WRITTEN_WITHIN).await?;
        answered.seq.ok_or(Trouble::Silence)
    }

    /// Asks through the server that answered last, then through each other one.
    async fn ask(
        &self,
        net: &Net,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
        within: Duration,
    ) -> Result<Answered, Trouble> {
        let first = self.through.load(Ordering::Relaxed);
        let count = net.links.len().max(1);
        for step in 0..count {
            let place = (first + step) % count;
            let Some(link) = net.links.get(place).filter(|link| link.is_up()) else { continue };
            let request = async_nats::Request::new().payload(payload.clone());
            let request = match &headers {
                Some(headers) => request.headers(headers.clone()),
                None => request,
            };
            let Ok(Ok(message)) = timeout(within, link.client.send_request(subject.to_owned(), request)).await else {
                continue;
            };
            self.through.store(place, Ordering::Relaxed);
            let answered: Answered = serde_json::from_slice(&message.payload)
                .map_err(|error| Trouble::Other(format!("an answer that can't be decoded: {error}")))?;
            return match answered.error {
                None => Ok(answered),
                Some(refusal) => Err(trouble(refusal)),
            };
        }
        Err(Trouble::Silence)
    }
}

fn trouble(refusal: Refusal) -> Trouble {
    match refusal.err_code {
        10_071 | 10_164 => Trouble::Moved,            // wrong last sequence
        10_037 | 10_059 => Trouble::None,             // no message found; stream not found
        10_008 | 10_009 | 10_023 => Trouble::Silence, // JetStream is not ready, without resources, or without a leader
        _ => Trouble::Other(refusal.description),
    }
}
