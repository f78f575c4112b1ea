//! A small HTTP server: it answers each connection once, by a thread of its own, and closes it. A client that is slow or hangs keeps
//! nobody else waiting, and is given up soon.

use httparse::{EMPTY_HEADER, Request, Status};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a request may take to come, and its answer to go.
const PATIENCE: Duration = Duration::from_secs(5);
/// A request that is longer is none.
const MAX_REQUEST: usize = 8 << 10;
const MAX_HEADERS: usize = 64;
/// Connections at one time.
const MAX_CLIENTS: usize = 512;
/// A thread's stack, in bytes. 512 of them are mapped at worst.
const STACK: usize = 512 << 10;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    fn head(&self) -> String {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let allow = if self.status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
            self.status,
            self.content_type,
            self.body.len()
        )
    }
}

/// Answers a path, without its query, and the header `Accept`.
type Respond = dyn Fn(&str, &str) -> Answer + Send + Sync;

pub(crate) struct Server {
    respond: Arc<Respond>,
    /// Connections that have no answer yet.
    clients: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn new(respond: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self { respond: Arc::new(respond), clients: Arc::default() }
    }

    /// Takes connections for ever.
    pub(crate) fn serve(&self, listener: &TcpListener) {
        loop {
            match listener.accept() {
                Ok((stream, _)) => self.take(stream),
                // Too many files are open, for one: it passes.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn take(&self, stream: TcpStream) {
        let client = Client::new(&self.clients);
        let respond = Arc::clone(&self.respond);
        let is_full = self.clients.load(Ordering::Relaxed) > MAX_CLIENTS;
        let answer = move || {
            let _client = client;
            // A client that is gone needs no answer.
            let _ = if is_full {
                send(&stream, &Answer::text(503, "too many connections\n"), false, Instant::now() + PATIENCE)
            } else {
                talk(&stream, &*respond)
            };
        };
        if is_full {
            return answer();
        }
        // Without a thread the connection is closed, and the client comes again.
        let _ = thread::Builder::new().name("client".to_owned()).stack_size(STACK).spawn(answer);
    }

    /// Waits until all clients have their answers, for so long at most.
    pub(crate) fn finish(&self, patience: Duration) {
        let begin = Instant::now();
        while self.clients.load(Ordering::Acquire) > 0 && begin.elapsed() < patience {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Counts a connection as long as it lasts.
struct Client(Arc<AtomicUsize>);

impl Client {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

fn talk(stream: &TcpStream, respond: &Respond) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let (answer, is_head) = loop {
        if let Some(answer) = parse(&bytes, respond) {
            break answer;
        }
        let mut buffer = [0; 1024];
        stream.set_read_timeout(Some(left(deadline)?))?;
        match (&*stream).read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => bytes.extend(buffer.iter().take(len)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break (Answer::text(408, "no whole request came in time\n"), false),
        }
    };
    send(stream, &answer, is_head, deadline.max(Instant::now() + PATIENCE))
}

/// The answer to a request, and whether only its head is asked for. `None` if the request isn't whole yet.
fn parse(bytes: &[u8], respond: &Respond) -> Option<(Answer, bool)> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Partial) if bytes.len() < MAX_REQUEST => return None,
        Ok(Status::Complete(_)) => {}
        _ => return Some((Answer::text(400, "this is no HTTP request\n"), false)),
    }
    let method = request.method.unwrap_or_default();
    if !["GET", "HEAD"].contains(&method) {
        return Some((Answer::text(405, "legal: GET and HEAD\n"), false));
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let accepts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("accept"));
    let accept: Vec<_> = accepts.map(|header| String::from_utf8_lossy(header.value)).collect();
    Some((respond(path, &accept.join(",")), method == "HEAD"))
}

fn send(mut stream: &TcpStream, answer: &Answer, is_head: bool, deadline: Instant) -> io::Result<()> {
    let body = if is_head { "" } else { answer.body.as_str() };
    let text = answer.head() + body;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(len) => rest = rest.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    linger(stream)
}

/// Reads what the client still sends, a little. A close with bytes that nobody read may cost the client the answer.
fn linger(mut stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut buffer = [0; 1024];
    for _ in 0..64 {
        if stream.read(&mut buffer)? == 0 {
            break;
        }
    }
    Ok(())
}

/// What is left of the time. An error if nothing is.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered to a request, `None` if more is to come.
    fn answered(request: &str) -> Option<(u16, String, bool)> {
        let respond = |path: &str, accept: &str| Answer::text(200, format!("{path} {accept}"));
        parse(request.as_bytes(), &respond).map(|(answer, is_head)| (answer.status, answer.body, is_head))
    }

    #[test]
    fn a_request_is_answered_once_it_is_whole() {
        let request = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\naccept: b\r\nAccept: c\r\n\r\n";
        for cut in 0..request.len() {
            assert_eq!(answered(&request[..cut]), None, "{cut}");
        }
        assert_eq!(answered(request), Some((200, "/metrics b,c".to_owned(), false)));
        assert_eq!(answered("HEAD / HTTP/1.0\r\n\r\n"), Some((200, "/ ".to_owned(), true)));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let status = |request: &str| answered(request).map(|(status, ..)| status);
        assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), Some(405));
        assert_eq!(status("\u{1}\u{2}\r\n\r\n"), Some(400));
        let many = "a: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Some(400));
        let long = "x".repeat(MAX_REQUEST);
        assert_eq!(status(&format!("GET /{long}")), Some(400));
        assert_eq!(status(&format!("GET /{}", &long[9..])), None);
        assert!(Answer::text(405, "").head().contains("\r\nAllow: GET, HEAD\r\n"));
    }
}
