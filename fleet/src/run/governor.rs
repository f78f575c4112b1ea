//! The governor: it reads the bucket from its leader, answers agents, and files halts and resumes.

use crate::bucket::{Bucket, Stored, Trouble};
use crate::failure::{Failure, warn};
use crate::governor::{Filing, Found, Governor};
use crate::keys::random_id;
use crate::message::{self, Answer, Ask, Body, Halt, Id, Record, Records, Resume, Taken, VERSION};
use crate::net::{Happening, Net, Subjects};
use crate::run::recent::Recent;
use crate::run::{Endings, GATES_FIRST_NS, Member};
use crate::time::{MS, monotonic_ns};
use crate::trust::Role;
use async_nats::Subject;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, RwLock};
use tokio::time::{interval, sleep, timeout};

/// What is said again and again is answered this often.
const ANSWER_EVERY_NS: u64 = 20 * MS;
const READ_EVERY: Duration = Duration::from_millis(250);
const FILE_AGAIN_AFTER: Duration = Duration::from_millis(200);
const FILES_EVERY: Duration = Duration::from_millis(500);
/// A longer message is no halt and no resume.
const MAX_BYTES: usize = 32 << 10;

const ASK: &str = "ask";
const HALT: &str = "halt";
const LINES: &str = "lines";
const RESUME: &str = "resume";

/// What the tasks of a governor share.
struct Shared {
    member: RwLock<Member>,
    fleet: String,
    net: Net,
    bucket: Bucket,
    governor: Mutex<Governor>,
    /// Halts that are to be filed.
    pending: Mutex<BTreeMap<Id, String>>,
    /// There is something to read.
    read: Notify,
    /// There is something to file.
    file: Notify,
    told: Mutex<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a governor until it is told to end.
///
/// # Errors
/// It can't begin.
pub async fn run(member: Member) -> Result<(), Failure> {
    let mut endings = Endings::new()?;
    let (net, mut happenings) = Net::connect(&member.trust, &member.key, &format!("governor {}", member.name)).await?;
    let fleet = member.trust.fleet.clone();
    let subjects = Subjects::new(&fleet);
    for (subject, topic) in [
        (subjects.halt(), HALT),
        (subjects.known("*"), HALT),
        (subjects.ask("*"), ASK),
        (subjects.lines(), LINES),
        (subjects.resume(), RESUME),
    ] {
        net.hear(&subject, topic).await?;
    }
    let shared = Arc::new(Shared {
        bucket: Bucket::new(&fleet, member.trust.replicas),
        member: RwLock::new(member),
        fleet,
        net,
        governor: Mutex::default(),
        pending: Mutex::default(),
        read: Notify::new(),
        file: Notify::new(),
        told: Mutex::default(),
    });
    tokio::spawn(Arc::clone(&shared).read());
    tokio::spawn(Arc::clone(&shared).file());
    let (mut heard, mut files) = (Recent::new(4096), interval(FILES_EVERY));
    loop {
        tokio::select! {
            () = endings.wait() => return Ok(()),
            _ = files.tick() => shared.member.write().await.read_again(),
            Some(happening) = happenings.recv() => match happening {
                Happening::Message { link, topic, message } => {
                    // Each message comes through each server, and some are said again and again.
                    if heard.is_due(&message.payload, monotonic_ns(), if topic == ASK { u64::MAX } else { ANSWER_EVERY_NS }) {
                        shared.hear(link, topic, message).await;
                    }
                }
                Happening::Slow(what) => warn(format_args!("messages were lost: {what}")),
                Happening::Refused(what) => warn(format_args!("a server says: {what}")),
            },
        }
    }
}

impl Shared {
    /// Says what is wrong, once.
    fn tell(&self, what: String) {
        let mut told = lock(&self.told);
        if *told != what {
            if !what.is_empty() {
                warn(&what);
            }
            *told = what;
        }
    }

    // Reading.

    /// Reads the bucket, again and again.
    async fn read(self: Arc<Self>) {
        loop {
            match self.read_once().await {
                Ok(true) => self.tell(String::new()),
                Ok(false) => continue, // lines came: the leader is to be asked again
                Err(what) => self.tell(what),
            }
            let _ = timeout(READ_EVERY, self.read.notified()).await;
        }
    }

    /// True if the governor knows all that the leader has.
    async fn read_once(&self) -> Result<bool, String> {
        let began_ns = monotonic_ns();
        let last = match self.bucket.last(&self.net).await {
            Err(Trouble::None) => {
                let id = random_id().map_err(|failure| failure.text)?;
                self.bucket
                    .make(&self.net, &id)
                    .await
                    .map_err(|trouble| format!("no bucket can be made: {trouble}"))?;
                return Ok(false);
            }
            last => last.map_err(|trouble| trouble.to_string())?,
        };
        let found = Found { bucket: last.bucket, last: last.revision };
        let missing = lock(&self.governor).read(began_ns, &found)?;
        let is_whole = missing.is_empty();
        for revision in missing {
            let stored = self.bucket.line(&self.net, revision).await;
            let Stored { bucket, envelope, .. } =
                stored.map_err(|trouble| format!("line {revision} of the bucket: {trouble}"))?;
            if bucket != found.bucket {
                return Err(format!("line {revision} is of another bucket: {bucket}"));
            }
            let id = match message::open(&self.fleet, envelope.as_bytes()).map(|opened| opened.body) {
                Ok(Body::Halt(halt)) => Some(halt.id),
                Ok(Body::Resume(resume)) => Some(resume.id),
                _ => None, // agents judge it
            };
            lock(&self.governor).line(Record { revision, envelope }, id);
        }
        Ok(is_whole)
    }

    // Filing.

    /// Writes halts to the bucket, again and again until it has them.
    async fn file(self: Arc<Self>) {
        loop {
            let pending: Vec<(Id, String)> =
                lock(&self.pending).iter().map(|(id, envelope)| (id.clone(), envelope.clone())).collect();
            if pending.is_empty() {
                self.file.notified().await;
                continue;
            }
            let mut is_stuck = false;
            for (id, envelope) in pending {
                let bucket = lock(&self.governor).bucket().map(str::to_owned);
                let filed = match bucket {
                    Some(bucket) => self.bucket.put_halt(&self.net, &bucket, &id, &envelope).await,
                    None => Err(Trouble::Silence),
                };
                match filed {
                    Ok(_) | Err(Trouble::Moved) => _ = lock(&self.pending).remove(&id),
                    Err(trouble) => {
                        self.tell(format!("a halt can't be filed: {trouble}; it is tried again"));
                        is_stuck = true;
                    }
                }
                self.read.notify_one();
            }
            if is_stuck {
                sleep(FILE_AGAIN_AFTER).await;
            }
        }
    }

    // Hearing.

    async fn hear(self: &Arc<Self>, link: usize, topic: &'static str, message: async_nats::Message) {
        match topic {
            ASK => self.hear_ask(link, &message).await,
            LINES => self.hear_lines(link, &message).await,
            HALT => {
                // Agents halt without it. To check it and to file it take time of the servers that still hand it to them.
                let shared = Arc::clone(self);
                tokio::spawn(async move {
                    sleep(Duration::from_nanos(GATES_FIRST_NS)).await;
                    shared.hear_halt(link, message).await;
                });
            }
            _ => {
                // It waits for the bucket, and agents are not to wait for it.
                let shared = Arc::clone(self);
                tokio::spawn(async move { shared.hear_resume(link, message).await });
            }
        }
    }

    async fn answer(&self, link: usize, reply: Option<&Subject>, body: Body) {
        let Some(reply) = reply else { return };
        let sealed = message::seal(&self.member.read().await.key, &self.fleet, &body);
        match sealed {
            Ok(text) => self.net.answer(link, reply, text.into()).await,
            Err(failure) => warn(failure),
        }
    }

    /// An ask of a member that speaks this version, or a later one and this.
    fn ask(message: &async_nats::Message) -> Option<Ask> {
        message::open_ask(&message.payload).ok().filter(|ask| ask.v >= VERSION)
    }

    async fn hear_ask(&self, link: usize, message: &async_nats::Message) {
        let Some(Ask { nonce, .. }) = Self::ask(message) else { return };
        let answer = {
            let governor = lock(&self.governor);
            governor.answer(monotonic_ns()).map(|(bucket, revision, age_ns)| Answer {
                nonce,
                bucket: bucket.to_owned(),
                revision,
                age_ns,
            })
        };
        if let Some(answer) = answer {
            self.answer(link, message.reply.as_ref(), Body::Answer(answer)).await;
        }
    }

    async fn hear_lines(&self, link: usize, message: &async_nats::Message) {
        let Some(Ask { nonce, after, .. }) = Self::ask(message) else { return };
        let records = {
            let governor = lock(&self.governor);
            governor.answer(monotonic_ns()).map(|(bucket, revision, age_ns)| Records {
                nonce,
                bucket: bucket.to_owned(),
                revision,
                age_ns,
                records: governor.after(after),
            })
        };
        if let Some(records) = records {
            self.answer(link, message.reply.as_ref(), Body::Records(records)).await;
        }
    }

    async fn hear_halt(&self, link: usize, message: async_nats::Message) {
        let Ok(Halt { id, .. }) = self.check_halt(&message.payload).await.map_err(|why| self.tell(why)) else { return };
        let filing = lock(&self.governor).halt(&id);
        if let Filing::Has(revision) = filing {
            let taken = Taken { about: id, revision: Some(revision), why: None };
            return self.answer(link, message.reply.as_ref(), Body::Taken(taken)).await;
        }
        // Who halts says it again, and is answered then.
        lock(&self.pending).entry(id).or_insert_with(|| String::from_utf8_lossy(&message.payload).into_owned());
        self.file.notify_one();
    }

    async fn check_halt(&self, payload: &Bytes) -> Result<Halt, String> {
        if payload.len() > MAX_BYTES {
            return Err(format!("a halt of {} bytes is not filed; legal: at most {MAX_BYTES}", payload.len()));
        }
        let opened = message::open(&self.fleet, payload).map_err(|why| format!("not filed: {why}"))?;
        let Body::Halt(halt) = opened.body else { return Err("not filed: what is no halt came as one".to_owned()) };
        match self.member.read().await.trust.name(Role::Halter, &opened.by) {
            Ok(_) => Ok(halt),
            Err(why) => Err(format!("not filed: a halt was signed by {}: {why}", opened.by)),
        }
    }

    async fn hear_resume(&self, link: usize, message: async_nats::Message) {
        let resume = match self.check_resume(&message.payload).await {
            Ok(resume) => resume,
            Err(why) => return self.tell(why),
        };
        let envelope = String::from_utf8_lossy(&message.payload);
        let filed = self.file_resume(&resume, &envelope).await;
        let (revision, why) = filed.map_or_else(|why| (None, Some(why)), |revision| (Some(revision), None));
        let taken = Taken { about: resume.id, revision, why };
        self.answer(link, message.reply.as_ref(), Body::Taken(taken)).await;
    }

    async fn check_resume(&self, payload: &Bytes) -> Result<Resume, String> {
        if payload.len() > MAX_BYTES {
            return Err(format!("a resume of {} bytes is not filed; legal: at most {MAX_BYTES}", payload.len()));
        }
        let opened = message::open(&self.fleet, payload).map_err(|why| format!("not filed: {why}"))?;
        let Body::Resume(resume) = opened.body else { return Err("not filed: what is no resume came as one".into()) };
        match self.member.read().await.trust.name(Role::Resumer, &opened.by) {
            Ok(_) => Ok(resume),
            Err(why) => Err(format!("not filed: a resume was signed by {}: {why}", opened.by)),
        }
    }

    async fn file_resume(&self, resume: &Resume, envelope: &str) -> Result<u64, String> {
        let filing = lock(&self.governor).resume(resume);
        let after = match filing {
            Filing::Has(revision) => return Ok(revision),
            Filing::Not(why) => return Err(why),
            Filing::Write(after) => after.unwrap_or(resume.revision),
        };
        let put = self.bucket.put_resume(&self.net, &resume.bucket, &resume.id, envelope, after).await;
        self.read.notify_one();
        match put {
            Ok(revision) => Ok(revision),
            // Perhaps this very resume is there: it was sent before, or through another governor.
            Err(Trouble::Moved) => self.find_resume(resume).await,
            Err(trouble) => Err(format!("{trouble}; whether it was filed is not known")),
        }
    }

    async fn find_resume(&self, resume: &Resume) -> Result<u64, String> {
        let mut why = "somebody halted or resumed since the list was made; list again".to_owned();
        for _ in 0..20 {
            sleep(Duration::from_millis(50)).await;
            match lock(&self.governor).resume(resume) {
                Filing::Has(revision) => return Ok(revision),
                Filing::Not(found) => {
                    why = found;
                    break;
                }
                Filing::Write(_) => {} // it has yet to read the line
            }
        }
        Err(why)
    }
}
