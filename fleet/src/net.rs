//! Connections: one to each server, all at the same time. What is said goes through each of them, and is heard through each of them. So a
//! server that is dead, hung or cut off takes nothing away.

use crate::failure::Failure;
use crate::keys::Key;
use crate::trust::Trust;
use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, Subject};
use bytes::Bytes;
use futures_util::{StreamExt, future::join_all};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

/// A server that answers no ping within two of these is given up, and connected to anew.
const PING_EVERY: Duration = Duration::from_millis(500);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// Nobody waits longer than this to hand a message to a connection.
const HAND_OVER_WITHIN: Duration = Duration::from_millis(20);
/// A server that hangs costs a message that it was told first no more than this. While none does, all gates refuse by then.
const NEXT_SERVER_AFTER: Duration = Duration::from_millis(10);
/// So many messages may wait to be taken in. More is a slow consumer, and what was lost then may have been a halt.
const ROOM: usize = 16_384;

/// What a connection tells.
#[derive(Debug)]
pub enum Happening {
    /// A message.
    Message {
        /// The connection's place.
        link: usize,
        /// Under which name it was subscribed.
        topic: &'static str,
        /// The message.
        message: async_nats::Message,
    },
    /// Messages were lost, as they weren't taken in soon enough.
    Slow(String),
    /// The server refuses something that this member must be able to do.
    Refused(String),
}

/// A connection to one server.
pub struct Link {
    /// The server's address.
    pub server: String,
    /// The connection.
    pub client: Client,
    is_broken: Arc<AtomicBool>,
}

impl Link {
    /// Whether the server answers.
    pub fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected && !self.is_broken.load(Ordering::Relaxed)
    }

    /// Says something, if the server answers.
    pub async fn say(&self, subject: &str, reply: Option<&Subject>, payload: Bytes) {
        if !self.is_up() {
            return;
        }
        let subject = Subject::from(subject);
        let handing_over = async {
            match reply {
                Some(reply) => self.client.publish_with_reply(subject, reply.clone(), payload).await,
                None => self.client.publish(subject, payload).await,
            }
        };
        // What fails is said again, by this connection or another.
        let _ = timeout(HAND_OVER_WITHIN, handing_over).await;
    }
}

/// Connections to all servers.
pub struct Net {
    /// One for each server of the fleet's file.
    pub links: Vec<Link>,
    sender: UnboundedSender<Happening>,
}

impl Net {
    /// Begins to connect to each server. `member` is how this member calls itself to them.
    ///
    /// # Errors
    /// A key or an address is none.
    pub async fn connect(
        trust: &Trust,
        key: &Key,
        member: &str,
    ) -> Result<(Self, UnboundedReceiver<Happening>), Failure> {
        let (sender, receiver) = unbounded_channel();
        let mut links = Vec::new();
        for server in &trust.servers {
            let is_broken = Arc::new(AtomicBool::new(false));
            let options = options(trust, key, member, &sender, &is_broken)?;
            let client = options
                .connect(server.as_str())
                .await
                .map_err(|error| Failure::new(format_args!("the server {server}: {error}; legal: nats://HOST:PORT")))?;
            links.push(Link { server: server.clone(), client, is_broken });
        }
        Ok((Self { links, sender }, receiver))
    }

    /// Hears this subject through each connection.
    ///
    /// # Errors
    /// The subject is none.
    pub async fn hear(&self, subject: &str, topic: &'static str) -> Result<(), Failure> {
        for (link, Link { client, .. }) in self.links.iter().enumerate() {
            let mut subscriber = client.subscribe(Subject::from(subject)).await.map_err(Failure::new)?;
            let sender = self.sender.clone();
            tokio::spawn(async move {
                while let Some(message) = subscriber.next().await {
                    // The server itself says that nobody hears what was asked. No answer comes, and that is all that it means.
                    if message.status.is_some() && message.payload.is_empty() {
                        continue;
                    }
                    if sender.send(Happening::Message { link, topic, message }).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(())
    }

    /// A subject for answers to this member, which others don't hear.
    pub fn inbox(&self) -> Subject {
        self.links.first().map_or_else(|| Subject::from("_INBOX.none"), |link| Subject::from(link.client.new_inbox()))
    }

    /// Says something through each connection.
    pub async fn say(&self, subject: &str, reply: Option<&Subject>, payload: Bytes) {
        join_all(self.links.iter().map(|link| link.say(subject, reply, payload.clone()))).await;
    }

    /// Says something through each connection, a little later through each next one. Each server hands it to everybody, so that the first
    /// one is enough while all is well; who is busy with copies hears other things later.
    pub async fn say_in_turn(&self, first: usize, subject: &str, reply: Option<&Subject>, payload: Bytes) {
        let up = || self.links.iter().cycle().skip(first % self.links.len().max(1)).take(self.links.len());
        for (place, link) in up().filter(|link| link.is_up()).enumerate() {
            if place > 0 {
                sleep(NEXT_SERVER_AFTER).await;
            }
            link.say(subject, reply, payload.clone()).await;
        }
    }

    /// Says something through one connection, of those whose servers answer: through each in its turn.
    pub async fn say_by_turns(&self, turn: usize, subject: &str, reply: Option<&Subject>, payload: Bytes) {
        let up: Vec<&Link> = self.links.iter().filter(|link| link.is_up()).collect();
        if let Some(link) = up.get(turn % up.len().max(1)) {
            link.say(subject, reply, payload).await;
        }
    }

    /// Answers through the connection by which a message came.
    pub async fn answer(&self, link: usize, reply: &Subject, payload: Bytes) {
        if let Some(link) = self.links.get(link) {
            link.say(reply, None, payload).await;
        }
    }

    /// How many servers answer.
    pub fn up(&self) -> usize {
        self.links.iter().filter(|link| link.is_up()).count()
    }

    /// What was said is with the servers, as far as they answer within this time.
    pub async fn flush(&self, within: Duration) {
        let flush = |link: &Link| {
            let client = link.client.clone();
            async move { timeout(within, client.flush()).await.is_ok() }
        };
        join_all(self.links.iter().filter(|link| link.is_up()).map(flush)).await;
    }
}

fn options(
    trust: &Trust,
    key: &Key,
    member: &str,
    sender: &UnboundedSender<Happening>,
    is_broken: &Arc<AtomicBool>,
) -> Result<ConnectOptions, Failure> {
    let (sender, is_broken) = (sender.clone(), Arc::clone(is_broken));
    let mut options = ConnectOptions::with_nkey(key.seed()?)
        .name(member)
        .custom_inbox_prefix(inbox_prefix(&key.public()))
        .ping_interval(PING_EVERY)
        .connection_timeout(CONNECT_WITHIN)
        .reconnect_delay_callback(|attempts| Duration::from_millis(u64::try_from(attempts).unwrap_or(10).min(10) * 50))
        .retry_on_initial_connect()
        .ignore_discovered_servers()
        .max_reconnects(None)
        .subscription_capacity(ROOM)
        .event_callback(move |event| {
            match &event {
                Event::SlowConsumer(_) => {
                    let _ = sender.send(Happening::Slow(event.to_string()));
                }
                Event::ServerError(error) => {
                    let _ = sender.send(Happening::Refused(error.to_string()));
                }
                Event::Connected => is_broken.store(false, Ordering::Relaxed),
                Event::Disconnected | Event::Closed => is_broken.store(true, Ordering::Relaxed),
                _ => {}
            }
            async {}
        });
    let tls = trust.tls();
    if let Some(ca) = &tls.ca {
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
    }
    Ok(options)
}

/// Where answers to the member with this key go. The servers let nobody else hear them.
pub fn inbox_prefix(public: &str) -> String {
    format!("_INBOX.{public}")
}

/// What members of a fleet say to each other, by subject.
pub struct Subjects {
    prefix: String,
}

impl Subjects {
    /// Those of this fleet.
    pub fn new(fleet: &str) -> Self {
        Self { prefix: format!("trip99.{fleet}") }
    }

    /// Halters stop.
    pub fn halt(&self) -> String {
        format!("{}.halt", self.prefix)
    }

    /// Resumers lift.
    pub fn resume(&self) -> String {
        format!("{}.resume", self.prefix)
    }

    /// An agent (`*`: any) asks governors for a lease.
    pub fn ask(&self, agent: &str) -> String {
        format!("{}.ask.{agent}", self.prefix)
    }

    /// An agent (`*`: any) hands a halt on that it doesn't know to be in the bucket.
    pub fn known(&self, agent: &str) -> String {
        format!("{}.known.{agent}", self.prefix)
    }

    /// Somebody asks governors for lines of the bucket.
    pub fn lines(&self) -> String {
        format!("{}.lines", self.prefix)
    }

    /// Somebody asks agents how things are.
    pub fn status(&self) -> String {
        format!("{}.status", self.prefix)
    }
}
