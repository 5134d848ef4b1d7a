//! Parts of the shop as real processes, and a plain client for them that shares no code with the shop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running part; killed when dropped.
pub(crate) struct Part {
    child: Child,
    pub(crate) address: String,
}

impl Part {
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_in(words, &std::env::temp_dir())
    }

    /// Starts a part and waits for the line that says where it listens.
    pub(crate) fn start_in(words: &[&str], temporary: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peakdrill"))
            .arg("shop")
            .args(words)
            .env_remove("PEAKDRILL_FOLDER")
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("it was piped");
        BufReader::new(output).read_line(&mut line).expect("its output can be read");
        let Some((_, address)) = line.trim().rsplit_once(' ') else {
            let status = child.wait();
            panic!("{words:?} did not start: {line:?} {status:?}");
        };
        Self { child, address: address.to_owned() }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).next()
    }
}

pub(crate) fn get(address: &str, path: &str) -> std::io::Result<Reply> {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").as_bytes())
}

pub(crate) fn post(address: &str, path: &str, key: Option<&str>, body: &Value) -> std::io::Result<Reply> {
    let key = key.map_or_else(String::new, |key| format!("Idempotency-Key: {key}\r\n"));
    let body = body.to_string();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{key}Content-Length: {length}\r\n\r\n");
    exchange(address, (head + &body).as_bytes())
}

/// One request on a connection of its own; the answer is what came until it was closed, and must be whole.
pub(crate) fn exchange(address: &str, request: &[u8]) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let torn = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the answer is not whole");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(torn)?;
    let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).ok_or_else(torn)?;
    let reply = Reply { status, head: head.to_owned(), body: body.to_owned() };
    match reply.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if reply.body.len() < length => Err(torn()),
        _ => Ok(reply),
    }
}

/// Raises a flag when dropped: whoever goes on until then ends even if an assertion fails before.
pub(crate) struct Raise<'a>(pub(crate) &'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Waits for a condition, and fails if it does not come.
pub(crate) fn wait_for(what: &str, within: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < within, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

pub(crate) const SOON: Duration = Duration::from_secs(15);

pub(crate) fn status(address: &str, path: &str) -> Option<u16> {
    get(address, path).ok().map(|reply| reply.status)
}
