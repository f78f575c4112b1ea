//! Who else is told of what is recorded: systemd's journal, and a command. They never hold up the recording.

use crate::failure::warn;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A line that was recorded, and what it says in words.
#[derive(Clone)]
pub(crate) struct News {
    pub(crate) line: String,
    pub(crate) message: String,
    /// As syslog counts: 4 = warning, 6 = informational.
    pub(crate) priority: u8,
}

/// So many news wait for one who is slow. What comes then isn't told.
const WAITING: usize = 65_536;

/// So long the recorder waits in the end until the last news are told.
const PATIENCE: Duration = Duration::from_secs(10);

/// The socket of systemd's journal.
pub(crate) const JOURNAL: &str = "/run/systemd/journal/socket";

/// One who is told.
pub(crate) struct Listener {
    name: &'static str,
    news: Option<SyncSender<News>>,
    thread: JoinHandle<()>,
    pub(crate) not_told: u64,
    /// It is known that there is something that this one wasn't told.
    is_behind: bool,
}

impl Listener {
    fn start(name: &'static str, tell: impl FnMut(Vec<News>) + Send + 'static) -> Self {
        let (news, receiver) = sync_channel(WAITING);
        let thread = thread::spawn(move || run(&receiver, tell));
        Self { name, news: Some(news), thread, not_told: 0, is_behind: false }
    }

    /// Runs a command for the news that there are, with their lines as its standard input. One runs at a time.
    pub(crate) fn exec(command: String) -> Self {
        Self::start("--exec", move |news| {
            if let Err(error) = exec(&command, &news) {
                warn(format_args!("--exec {command}: {error}"));
            }
        })
    }

    /// Sends each line to systemd's journal.
    pub(crate) fn journal(socket: PathBuf) -> Self {
        let mut is_failing = false;
        Self::start("--to journald", move |news| {
            for one in news {
                let sent = send(&socket, &one);
                if let Err(error) = &sent
                    && !is_failing
                {
                    warn(format_args!("--to journald: {}: {error}", socket.display()));
                }
                is_failing = sent.is_err();
            }
        })
    }

    pub(crate) fn tell(&mut self, news: News) {
        let sent = self.news.as_ref().map(|sender| sender.try_send(news));
        let is_behind = matches!(sent, Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))));
        if is_behind && !self.is_behind {
            warn(format_args!("{} is too slow: it isn't told of everything", self.name));
        }
        self.not_told += u64::from(is_behind);
        self.is_behind = is_behind;
    }

    /// Ends, when it is told of all.
    pub(crate) fn end(mut self) {
        self.news = None;
        let begin = Instant::now();
        while !self.thread.is_finished() {
            if begin.elapsed() > PATIENCE {
                return warn(format_args!("{} isn't done: it isn't told of everything", self.name));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn run(receiver: &Receiver<News>, mut tell: impl FnMut(Vec<News>)) {
    while let Ok(first) = receiver.recv() {
        tell(std::iter::once(first).chain(receiver.try_iter()).collect());
    }
}

fn exec(command: &str, news: &[News]) -> Result<(), String> {
    let mut child = Command::new("sh");
    child.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = child.spawn().map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        let lines: String = news.iter().map(|one| one.line.as_str()).collect();
        // A command need not read all.
        let _ = input.write_all(lines.as_bytes());
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// As systemd's native protocol has it: a datagram of fields. None of the texts has a line's end in it.
fn send(socket: &Path, news: &News) -> std::io::Result<()> {
    let News { line, message, priority } = news;
    let datagram = format!(
        "MESSAGE={}\nPRIORITY={priority}\nSYSLOG_IDENTIFIER=trip99-record\nTRIP99_LINE={}\n",
        message.replace('\n', " "),
        line.trim_end().replace('\n', " "),
    );
    UnixDatagram::unbound()?.send_to(datagram.as_bytes(), socket).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("trip99-tell-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    fn news(n: u32) -> News {
        News { line: format!("{{\"n\":{n}}}\n"), message: format!("line {n}"), priority: 6 }
    }

    #[test]
    fn a_command_gets_each_line_once() {
        let path = scratch("exec");
        let mut listener = Listener::exec(format!("cat >> {}", path.display()));
        (0..500).for_each(|n| listener.tell(news(n)));
        listener.end();
        let expected: String = (0..500).map(|n| news(n).line).collect();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_slow_command_holds_nobody_up() {
        let path = scratch("slow");
        let mut listener = Listener::exec(format!("while [ ! -e {} ]; do sleep 0.01; done", path.display()));
        (0..2 * WAITING as u32 + 10).for_each(|n| listener.tell(news(n)));
        assert!(listener.not_told >= 9, "{}", listener.not_told);
        fs::write(&path, "").unwrap();
        listener.end();
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_journal_gets_fields() {
        let path = scratch("journal");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut listener = Listener::journal(path.clone());
        listener.tell(News { message: "a\nb".to_owned(), ..news(7) });
        let mut buffer = [0; 1000];
        let len = socket.recv(&mut buffer).unwrap();
        let expected = "MESSAGE=a b\nPRIORITY=6\nSYSLOG_IDENTIFIER=trip99-record\nTRIP99_LINE={\"n\":7}\n";
        assert_eq!(std::str::from_utf8(&buffer[..len]).unwrap(), expected);
        drop(socket);
        fs::remove_file(&path).unwrap();
        // Nobody is there any more.
        listener.tell(news(8));
        listener.end();
    }
}
