//! The agent: it hears halts, asks governors for a lease, and holds the pages of its host.

use crate::agent::{Agent, Heeded, Kept, Limits};
use crate::book::Heard;
use crate::failure::{Failure, warn};
use crate::hear;
use crate::keys::random_id;
use crate::message::{self, Ask, Body, Id, Records, Report, VERSION};
use crate::net::{Happening, Net, Subjects};
use crate::pages::{self, Durably, Pages};
use crate::run::metrics;
use crate::run::recent::Recent;
use crate::run::saving::Saving;
use crate::run::{Endings, Member, host};
use crate::store::{self, Store};
use crate::time::{MS, S, monotonic_ns, wall_ns};
use async_nats::Subject;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// How an agent is set up.
pub struct Settings {
    /// The pages' folder.
    pub pages: PathBuf,
    /// Where the agent keeps what it knows.
    pub state: PathBuf,
    /// How long things may take.
    pub limits: Limits,
    /// The bucket was made anew: begin to read it from its first line. Halts that are known stay.
    pub is_new_bucket: bool,
    /// Where to write metrics, for a collector of text files.
    pub metrics: Option<PathBuf>,
    /// How the host calls itself, unless it is told here.
    pub host: Option<String>,
}

/// An end that isn't sudden waits for the disk so long.
const SAVED_WITHIN: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);
const SCAN_EVERY_NS: u64 = 100 * MS;
const FILES_EVERY_NS: u64 = 500 * MS;
const HAND_ON_EVERY_NS: u64 = S;
const LINES_EVERY_NS: u64 = 20 * MS;
const METRICS_EVERY_NS: u64 = S;
/// Who asks says the same again and again, through each server. It is answered at once, and then this often: a report takes time, and
/// answers are not to keep halts waiting.
const ANSWER_EVERY_NS: u64 = 150 * MS;

const HALT: &str = "halt";
const STATUS: &str = "status";
const INBOX: &str = "inbox";

/// A report that waits for the disk.
struct Waiting {
    link: usize,
    reply: Subject,
    id: Id,
    /// What must be saved before it is sent.
    version: u64,
}

/// A version of what is kept, and what came of saving it.
type Saved = (u64, std::io::Result<()>);

/// When each of these is due.
#[derive(Default)]
struct Due {
    ask_ns: u64,
    lines_ns: u64,
    scan_ns: u64,
    files_ns: u64,
    hand_on_ns: u64,
    metrics_ns: u64,
}

struct Runner {
    member: Member,
    net: Net,
    subjects: Subjects,
    inbox: Subject,
    host: String,
    agent: Agent,
    limits: Limits,
    pages: Pages,
    store: Store,
    metrics: Option<PathBuf>,
    /// Halts that were heard, by their bytes.
    heard: Recent<Id>,
    /// When messages were answered, by their bytes; and answers of governors.
    answered: Recent<u64>,
    waiting: Vec<Waiting>,
    saving: Saving,
    saves: UnboundedSender<Saved>,
    /// Halts of pages, for the thread that makes them durable.
    page_disk: std::sync::mpsc::Sender<Durably>,
    /// Halts whose answer is kept.
    noted: BTreeSet<Id>,
    due: Due,
    /// Pages are to be looked for before a halt is answered.
    must_scan: bool,
    /// Through which server it asks next.
    turn: usize,
    /// What was told last of its trouble.
    told: Option<String>,
}

/// Runs an agent until it is told to end. Then the leases that it gave run out.
///
/// # Errors
/// It can't begin.
pub async fn run(member: Member, settings: Settings) -> Result<(), Failure> {
    let store = Store::open(&settings.state)?;
    let mut kept = store.load()?;
    if settings.is_new_bucket {
        kept = Kept { bucket: None, revision: 0, ..kept };
    }
    let host = settings.host.unwrap_or_else(host);
    let pages = Pages::new(&settings.pages, &host)?;
    let mut endings = Endings::new()?;
    let (net, mut happenings) = Net::connect(&member.trust, &member.key, &format!("agent {}", member.name)).await?;
    let subjects = Subjects::new(&member.trust.fleet);
    let inbox = net.inbox();
    net.hear(&subjects.halt(), HALT).await?;
    net.hear(&subjects.status(), STATUS).await?;
    net.hear(&inbox, INBOX).await?;
    let (sender, mut saves) = unbounded_channel();
    let mut runner = Runner {
        agent: Agent::new(settings.limits, kept, monotonic_ns()),
        limits: settings.limits,
        member,
        net,
        subjects,
        inbox,
        host,
        pages,
        store,
        metrics: settings.metrics,
        heard: Recent::new(1024),
        answered: Recent::new(1024),
        waiting: Vec::new(),
        saving: Saving::default(),
        saves: sender,
        page_disk: pages::disk()?,
        noted: BTreeSet::new(),
        due: Due::default(),
        must_scan: false,
        turn: 0,
        told: None,
    };
    runner.saving.change(monotonic_ns());
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = endings.wait() => {
                // A disk that hangs isn't waited for.
                let _ = timeout(SAVED_WITHIN, runner.save_all(&mut saves)).await;
                return Ok(());
            }
            Some(happening) = happenings.recv() => runner.hear(happening).await,
            Some(saved) = saves.recv() => runner.saved(saved).await,
            () = wait_until(runner.saving.due_ns()) => {}
            _ = ticks.tick() => {}
        }
        // Whatever there is to hear, time passes.
        runner.tick().await;
    }
}

impl Runner {
    async fn tick(&mut self) {
        let now_ns = monotonic_ns();
        self.agent.tick(now_ns);
        if is_due(&mut self.due.files_ns, now_ns, FILES_EVERY_NS) {
            self.member.read_again();
            self.pages.read_labels();
        }
        if is_due(&mut self.due.scan_ns, now_ns, SCAN_EVERY_NS) {
            self.must_scan = false;
            self.pages.scan(now_ns);
            self.apply(now_ns);
        }
        if is_due(&mut self.due.ask_ns, now_ns, self.limits.ask_every_ns()) {
            self.ask(now_ns).await;
            self.apply(now_ns);
        }
        if is_due(&mut self.due.hand_on_ns, now_ns, HAND_ON_EVERY_NS) {
            self.hand_on().await;
        }
        if is_due(&mut self.due.metrics_ns, now_ns, METRICS_EVERY_NS) {
            self.write_metrics(now_ns);
        }
        if let Some(version) = self.saving.begin(now_ns) {
            self.save(version);
        }
    }

    /// Carries the verdicts out, and tells of what changed.
    fn apply(&mut self, now_ns: u64) {
        let is_news = self.pages.settle(&mut self.agent);
        self.pages.apply(&self.agent, now_ns);
        // The pages refuse. Whatever takes a thread or a disk comes after that.
        if is_news {
            self.saving.change(now_ns);
        }
        self.use_page_disk();
        let trouble = self.agent.trouble();
        if trouble != self.told {
            match &trouble {
                Some(why) => warn(format_args!("pages that have no lease in force are held: {why}")),
                None => warn("in touch with a governor; pages are leased"),
            }
            self.told = trouble;
        }
    }

    async fn ask(&mut self, now_ns: u64) {
        let Ok(nonce) = random_id() else { return };
        self.agent.ask(nonce.clone(), now_ns);
        // Not through each server: leases outlast several asks, and what says how things are isn't to keep halts waiting.
        self.turn = self.turn.wrapping_add(1);
        if let Some(text) = Self::ask_text(nonce, 0) {
            let subject = self.subjects.ask(&self.member.name);
            self.net.say_by_turns(self.turn, &subject, Some(&self.inbox), text).await;
        }
    }

    fn ask_text(nonce: String, after: u64) -> Option<Bytes> {
        serde_json::to_string(&Ask { v: VERSION, nonce, after }).ok().map(Bytes::from)
    }

    /// Asks for the lines of the bucket that it has yet to read.
    async fn ask_lines(&mut self, now_ns: u64) {
        if is_due(&mut self.due.lines_ns, now_ns, LINES_EVERY_NS)
            && let Ok(nonce) = random_id()
            && let Some(text) = Self::ask_text(nonce, self.agent.kept().revision)
        {
            self.net.say(&self.subjects.lines(), Some(&self.inbox), text).await;
        }
    }

    /// Tells governors of halts that aren't known to be in the bucket: whoever halted may be gone.
    async fn hand_on(&self) {
        let subject = self.subjects.known(&self.member.name);
        let envelopes: Vec<Bytes> = self.agent.unfiled().map(|text| text.to_owned().into()).collect();
        for envelope in envelopes {
            self.net.say(&subject, None, envelope).await;
        }
    }

    async fn hear(&mut self, happening: Happening) {
        let now_ns = monotonic_ns();
        match happening {
            Happening::Message { link, topic: HALT, message } => self.hear_halt(link, message, now_ns),
            Happening::Message { topic: INBOX, message, .. } => self.hear_governor(&message.payload, now_ns).await,
            Happening::Message { link, message, .. } => self.hear_status(link, &message, now_ns).await,
            Happening::Slow(what) => self.fault(format!("messages were lost: {what}"), now_ns),
            Happening::Refused(what) => warn(format_args!("a server says: {what}")),
        }
    }

    fn fault(&mut self, why: String, now_ns: u64) {
        self.agent.fault(why, now_ns);
        self.apply(now_ns);
    }

    fn hear_halt(&mut self, link: usize, message: async_nats::Message, now_ns: u64) {
        let known = self.heard.get(&message.payload).cloned();
        let id = match known.map_or_else(|| self.take_halt(&message.payload, now_ns), Ok) {
            Ok(id) => id,
            Err(why) => return self.fault(why, now_ns),
        };
        if let Some(reply) = message.reply
            && self.answered.is_due(&message.payload, now_ns, ANSWER_EVERY_NS)
        {
            self.waiting.push(Waiting { link, reply, id, version: self.saving.version() });
            // At once, if all is on the disk.
            let _ = self.saves.send((self.saving.saved(), Ok(())));
        }
    }

    /// Takes a halt in. The pages refuse when this returns.
    fn take_halt(&mut self, payload: &Bytes, now_ns: u64) -> Result<Id, String> {
        let halt = hear::halt(&self.member.trust, payload)?;
        let text = String::from_utf8_lossy(payload);
        if self.agent.halt(&halt, &text) == Heard::New {
            // The pages that are known. To look for others takes longer than to halt these: that is done before this is answered.
            self.apply(now_ns);
            self.saving.change(now_ns);
            self.must_scan = true;
        }
        self.heard.put(payload.clone(), halt.id.clone());
        Ok(halt.id)
    }

    async fn hear_governor(&mut self, payload: &Bytes, now_ns: u64) {
        // It comes through each server.
        if !self.answered.is_due(payload, now_ns, u64::MAX) {
            return;
        }
        let body = match hear::governor(&self.member.trust, payload) {
            Ok(body) => body,
            Err(why) => return self.fault(why, now_ns),
        };
        let had_lease = self.agent.lease_ends_ns().is_some();
        match body {
            Body::Answer(answer) => match self.agent.answer(&answer, now_ns) {
                Heeded::Behind => self.ask_lines(now_ns).await,
                Heeded::Fault(why) => warn(why),
                Heeded::Good | Heeded::Nothing(_) => {}
            },
            Body::Records(records) => self.hear_lines(&records, now_ns).await,
            _ => self.fault("a governor said what governors don't say".to_owned(), now_ns),
        }
        if !had_lease {
            self.apply(now_ns);
        }
    }

    async fn hear_lines(&mut self, records: &Records, now_ns: u64) {
        let before = self.agent.kept().revision;
        for record in &records.records {
            match hear::line(&mut self.agent, &self.member.trust, &records.bucket, record, now_ns) {
                Ok(None) => {}
                Ok(Some(odd)) => warn(odd),
                Err(why) => {
                    self.fault(format!("line {} of the bucket: {why}", record.revision), now_ns);
                    break;
                }
            }
        }
        let revision = self.agent.kept().revision;
        if revision > before {
            self.apply(now_ns);
            self.saving.change(now_ns);
            if revision < records.revision {
                self.due.lines_ns = 0;
                self.ask_lines(now_ns).await;
            }
        }
    }

    async fn hear_status(&mut self, link: usize, message: &async_nats::Message, now_ns: u64) {
        let (Some(reply), Ok(ask)) = (&message.reply, message::open_ask(&message.payload)) else { return };
        if !self.answered.is_due(&message.payload, now_ns, ANSWER_EVERY_NS) {
            return;
        }
        let report = self.report(ask.nonce, None, now_ns);
        self.send(link, reply, report).await;
    }

    /// What this agent tells: of a halt, or of all.
    fn report(&self, about: String, id: Option<&Id>, now_ns: u64) -> Report {
        let book = &self.agent.kept().book;
        let known = id.and_then(|id| book.get(id));
        let is_dead = id.is_some_and(|id| book.is_dead(id));
        Report {
            about,
            host: self.host.clone(),
            wall_ns: wall_ns(),
            revision: self.agent.kept().revision,
            stored: self.saving.is_all(),
            is_dead,
            trouble: self.agent.trouble(),
            lease_left_ns: self.agent.lease_ends_ns().map_or(0, |ends_ns| ends_ns.saturating_sub(now_ns)),
            round_trip_ns: self.agent.round_trip_ns(),
            pages: if is_dead { Vec::new() } else { self.pages.report(known, now_ns) },
        }
    }

    async fn send(&self, link: usize, reply: &Subject, report: Report) {
        match message::seal(&self.member.key, &self.member.trust.fleet, &Body::Report(report)) {
            Ok(text) => self.net.answer(link, reply, text.into()).await,
            Err(failure) => warn(failure),
        }
    }

    // The disk.

    /// Has halts of pages made durable, unless an answer waits for the disk: that comes first. (The owner's warden does it, too.)
    fn use_page_disk(&mut self) {
        if !self.saving.is_pending() {
            for durably in self.pages.take_for_disk() {
                let _ = self.page_disk.send(durably);
            }
        }
    }

    /// Has all on the disk, before an end that isn't sudden.
    async fn save_all(&mut self, saves: &mut UnboundedReceiver<Saved>) {
        while !self.saving.is_all() {
            if let Some(version) = self.saving.begin(u64::MAX) {
                self.save(version);
            }
            match saves.recv().await {
                Some(saved) => self.saved(saved).await,
                None => break,
            }
        }
    }

    fn save(&self, version: u64) {
        let (sender, folder, kept) = (self.saves.clone(), self.store.folder(), self.agent.kept().clone());
        tokio::task::spawn_blocking(move || {
            let _ = sender.send((version, store::save(&folder, &kept)));
        });
    }

    /// Reports that waited for the disk are sent.
    async fn saved(&mut self, (version, result): Saved) {
        let now_ns = monotonic_ns();
        // What was on the disk before is told at once; no thread was at it.
        if version > self.saving.saved() {
            if let Err(error) = &result {
                warn(format_args!("what is known can't be saved: {error}; it is tried again"));
            }
            self.saving.end(version, result.is_ok(), now_ns);
        }
        // If the disk fails they are sent as well: the pages refuse, and that the halt isn't on the disk is said.
        let is_ready = |waiting: &Waiting| result.is_err() || waiting.version <= self.saving.saved();
        let (ready, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(is_ready);
        self.waiting = waiting;
        let ready: Vec<Waiting> = ready;
        if !ready.is_empty() && std::mem::take(&mut self.must_scan) {
            self.pages.scan(now_ns);
            self.apply(now_ns);
        }
        for Waiting { link, reply, id, .. } in ready {
            let report = self.report(id.to_string(), Some(&id), now_ns);
            if result.is_ok() && self.noted.insert(id) {
                self.note_answer(&report);
            }
            self.send(link, &reply, report).await;
        }
        self.use_page_disk();
    }

    /// Keeps what is answered first to a halt, for audits.
    fn note_answer(&self, report: &Report) {
        let (folder, line) = (self.store.folder(), serde_json::to_string(report).unwrap_or_default());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store::note_answer(&folder, &line) {
                warn(format_args!("an answer can't be kept: {error}"));
            }
        });
    }

    // Metrics.

    fn write_metrics(&self, now_ns: u64) {
        let Some(path) = &self.metrics else { return };
        let report = self.report(String::new(), None, now_ns);
        let halts = self.agent.kept().book.live().count();
        let text = metrics::text(
            &self.member.trust.fleet,
            &self.member.name,
            &report,
            self.net.up(),
            self.net.links.len(),
            halts,
        );
        if let Err(error) = metrics::write(path, &text) {
            warn(format_args!("{}: {error}; there are no metrics", path.display()));
        }
    }
}

/// Waits for this time; for ever if there is none.
async fn wait_until(due_ns: Option<u64>) {
    match due_ns {
        Some(due_ns) => sleep(Duration::from_nanos(due_ns.saturating_sub(monotonic_ns()))).await,
        None => std::future::pending().await,
    }
}

/// True if the time has come. Then it comes again after this span.
fn is_due(due_ns: &mut u64, now_ns: u64, every_ns: u64) -> bool {
    let is_due = now_ns >= *due_ns;
    if is_due {
        *due_ns = now_ns.saturating_add(every_ns);
    }
    is_due
}
