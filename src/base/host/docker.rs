//! Docker's API, as far as containers are hurt and brought back by it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::container::{Attachment, Container, Remedy, Told};
use super::time::monotonic_nanos;
use crate::base::units::Span;

/// How long one answer may take. Docker itself gives a container 10 s to end after KILL.
const ANSWER: Span = Span::seconds(20);
/// Far more than Docker tells of a container.
const LONGEST: usize = 16 << 20;
/// How often what comes about by itself is looked for.
const LOOK: Span = Span::millis(20);

/// Docker's API at its socket. Each request has a connection of its own, and none takes longer than 20 s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    socket: PathBuf,
}

impl Docker {
    /// The label that a container must carry to be touched, with the value `true`.
    pub const LABEL: &'static str = "peakdrill.allow";

    pub fn at(socket: impl Into<PathBuf>) -> Docker {
        Docker { socket: socket.into() }
    }

    /// A container by its name or id; none where there is none.
    pub fn find(&self, name: &str) -> io::Result<Option<Container>> {
        match self.ask("GET", &format!("/containers/{}/json", plain(name)?), None)? {
            (404, _) => Ok(None),
            (200, body) => Ok(Some(serde_json::from_slice::<Told>(&body).map_err(|why| self.wrong(why))?.into())),
            (status, body) => Err(self.wrong(reason(status, &body))),
        }
    }

    /// A container that drills may touch; the error says why it is none.
    pub fn allowed(&self, name: &str) -> io::Result<Container> {
        labelled(self.find(name)?.ok_or_else(|| self.wrong(format!("there is no container `{name}`")))?, name)
    }

    /// Sends a signal to the container's first process; KILL returns when it has ended.
    pub fn signal(&self, id: &str, signal: &str) -> io::Result<()> {
        self.order(&format!("/containers/{}/kill?signal={signal}", plain(id)?), None)
    }

    pub fn pause(&self, id: &str) -> io::Result<()> {
        self.order(&format!("/containers/{}/pause", plain(id)?), None)
    }

    pub fn disconnect(&self, id: &str, network: &str) -> io::Result<()> {
        let body = json!({ "Container": id, "Force": true });
        self.order(&format!("/networks/{}/disconnect", plain(network)?), Some(&body))
    }

    /// Brings a container back, by its id, if it is not as it was; fine where it is gone, or as it was. One that carries no label is
    /// not touched. Whoever gave the order may have died so lately that Docker has not carried it out yet: so what is as it was is
    /// looked at for a while.
    pub fn remedy(&self, id: &str, remedy: &Remedy) -> io::Result<()> {
        let patience = match remedy {
            Remedy::Start { within, .. } => *within,
            Remedy::Unpause | Remedy::Connect(_) => Span::millis(500),
        };
        let deadline = monotonic_nanos().saturating_add(patience.as_nanos());
        let found = loop {
            let Some(found) = self.find(id)? else { return Ok(()) };
            let found = labelled(found, id)?;
            if remedy.is_wanted(&found) {
                break found;
            }
            let started_again = matches!(remedy, Remedy::Start { since, .. } if found.started != *since);
            if started_again || monotonic_nanos() > deadline {
                return Ok(());
            }
            // This room stands above `clock`, whose waits are for drills.
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(LOOK.to_std());
        };
        match remedy {
            Remedy::Start { .. } => self.order(&format!("/containers/{}/start", plain(id)?), None)?,
            Remedy::Unpause => self.order(&format!("/containers/{}/unpause", plain(id)?), None)?,
            Remedy::Connect(all) => {
                for one in all.iter().filter(|one| !found.is_attached(one)) {
                    self.connect(id, one)?;
                }
            }
        }
        match self.find(id)? {
            Some(found) if remedy.is_wanted(&found) => {
                Err(self.wrong(format!("container {id} is not as it was, although Docker has been told")))
            }
            _ => Ok(()),
        }
    }

    /// With the address that it had, unless Docker alone chooses the addresses of that network.
    fn connect(&self, id: &str, to: &Attachment) -> io::Result<()> {
        let path = format!("/networks/{}/connect", plain(&to.network)?);
        let body = |addresses: Value| {
            let ends = json!({ "IPAMConfig": addresses, "Aliases": to.aliases, "Links": to.links });
            json!({ "Container": id, "EndpointConfig": ends })
        };
        let mut addresses = serde_json::Map::new();
        for (word, address) in [("IPv4Address", &to.address), ("IPv6Address", &to.address6)] {
            addresses.extend(address.iter().map(|address| (word.to_owned(), address.as_str().into())));
        }
        match self.order(&path, Some(&body(Value::Object(addresses)))) {
            Err(why) if why.to_string().contains("user specified IP address") => {
                self.order(&path, Some(&body(Value::Null)))
            }
            done => done,
        }
    }

    /// 304: it is so already.
    fn order(&self, path: &str, body: Option<&Value>) -> io::Result<()> {
        match self.ask("POST", path, body)? {
            (200..300 | 304, _) => Ok(()),
            (status, body) => Err(self.wrong(reason(status, &body))),
        }
    }

    /// One request and its answer's status and body. HTTP/1.0 needs no more: an answer ends with its connection.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(u16, Vec<u8>)> {
        let deadline = monotonic_nanos().saturating_add(ANSWER.as_nanos());
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut answer = Vec::new();
        let mut talk = || -> io::Result<()> {
            let mut stream = UnixStream::connect(&self.socket)?;
            stream.set_write_timeout(Some(ANSWER.to_std()))?;
            stream.write_all(format!("{head}{body}").as_bytes())?;
            let mut part = [0; 16 << 10];
            loop {
                let left = Span(deadline.saturating_sub(monotonic_nanos()));
                if left == Span::ZERO || answer.len() > LONGEST {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                stream.set_read_timeout(Some(left.to_std()))?;
                match stream.read(&mut part) {
                    Ok(0) => return Ok(()),
                    Ok(read) => answer.extend(part.iter().take(read)),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        };
        talk().map_err(|why| match why.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.wrong(format!("no answer within {ANSWER}")),
            _ => self.wrong(why),
        })?;
        split(&answer).ok_or_else(|| self.wrong("what answers there does not speak HTTP"))
    }

    fn wrong(&self, why: impl ToString) -> io::Error {
        io::Error::other(format!("Docker at {}: {}", self.socket.display(), why.to_string()))
    }
}

fn labelled(found: Container, name: &str) -> io::Result<Container> {
    if found.allowed {
        return Ok(found);
    }
    let label = Docker::LABEL;
    let why = format!(
        "container `{name}` does not carry the label {label}=true, and nothing without it is touched; make it anew with \
         `--label {label}=true` if drills may hurt it"
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// As a part of a path: what Docker calls containers and networks needs no quoting.
fn plain(name: &str) -> io::Result<&str> {
    let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    sound.then_some(name).ok_or_else(|| io::Error::other(format!("`{name}` is no name that Docker knows")))
}

fn reason(status: u16, body: &[u8]) -> String {
    let told: Option<Value> = serde_json::from_slice(body).ok();
    let message = told.as_ref().and_then(|told| told["message"].as_str());
    message.map_or_else(|| format!("it answers {status}"), str::to_owned)
}

/// An answer's status and body.
fn split(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at_checked(end + 4)?;
    let head = std::str::from_utf8(head).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"{"Id":"a628","State":{"Running":true,"Paused":false,"Restarting":false,"StartedAt":"2026-11-28T12:09:27Z"},
        "HostConfig":{"NetworkMode":"front","AutoRemove":false},"Config":{"Labels":LABELS},
        "NetworkSettings":{"Networks":{"back":{"IPAddress":"198.18.8.2","GlobalIPv6Address":"","Aliases":null,"Links":null},
        "front":{"IPAddress":"198.18.9.2","GlobalIPv6Address":"","Aliases":["db"],"Links":null}}}}"#;

    /// Answers each of `answers` on a connection of its own; gives what was asked.
    fn serve(answers: Vec<String>) -> (tempfile::TempDir, Docker, std::thread::JoinHandle<Vec<String>>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let served = std::thread::spawn(move || {
            let answer = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut asked, mut part) = (Vec::new(), [0; 4096]);
                let whole = |asked: &[u8]| {
                    let text = String::from_utf8_lossy(asked).into_owned();
                    let (head, body) = text.split_once("\r\n\r\n")?;
                    let length: usize = head.rsplit("Content-Length: ").next()?.parse().ok()?;
                    (body.len() >= length).then(|| format!("{} {body}", head.lines().next().unwrap_or_default()))
                };
                loop {
                    let read = stream.read(&mut part).unwrap();
                    asked.extend(&part[..read]);
                    if let Some(asked) = whole(&asked) {
                        stream.write_all(answer.as_bytes()).unwrap();
                        return asked;
                    }
                }
            };
            answers.into_iter().map(answer).collect()
        });
        let docker = Docker::at(socket);
        (folder, docker, served)
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}")
    }

    fn told(labels: &str) -> String {
        ok(&TOLD.replace("LABELS", labels))
    }

    #[test]
    fn a_container_without_the_label_is_refused_and_one_with_it_is_told() {
        let labelled = r#"{"peakdrill.allow":"true"}"#;
        let (_folder, docker, served) = serve(vec![told("null"), told(r#"{"peakdrill.allow":"yes"}"#), told(labelled)]);
        for _ in 0..2 {
            let refused = docker.allowed("db").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{refused}");
        }
        let found = docker.allowed("db").unwrap();
        let networks: Vec<&str> = found.attached.iter().map(|one| one.network.as_str()).collect();
        assert_eq!((found.id.as_str(), found.running, networks), ("a628", true, vec!["front", "back"]));
        assert_eq!(served.join().unwrap(), ["GET /containers/db/json HTTP/1.0 "; 3]);
    }

    #[test]
    fn nothing_without_the_label_is_brought_back_and_what_is_gone_needs_nothing() {
        let gone = "HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"No such container: a628\"}".to_owned();
        let (_folder, docker, served) = serve(vec![told("{}"), gone]);
        assert!(docker.remedy("a628", &Remedy::Unpause).is_err());
        docker.remedy("a628", &Remedy::Unpause).unwrap();
        assert_eq!(served.join().unwrap(), ["GET /containers/a628/json HTTP/1.0 "; 2]);
    }

    #[test]
    fn where_docker_chooses_the_addresses_it_does_so_again() {
        let no = "HTTP/1.0 400 Bad Request\r\n\r\n{\"message\":\"user specified IP address is supported only …\"}"
            .to_owned();
        let (_folder, docker, served) = serve(vec![no, ok("")]);
        let aliases = vec!["db".to_owned()];
        let network = "front".to_owned();
        let to =
            Attachment { network, address: Some("198.18.9.2".to_owned()), address6: None, aliases, links: Vec::new() };
        docker.connect("a628", &to).unwrap();
        let asked = served.join().unwrap();
        let same =
            |one: &String| one.starts_with("POST /networks/front/connect ") && one.contains(r#""Aliases":["db"]"#);
        assert!(asked.iter().all(same), "{asked:?}");
        let addressed: Vec<bool> = asked.iter().map(|one| one.contains(r#""IPv4Address":"198.18.9.2""#)).collect();
        assert_eq!(addressed, [true, false], "{asked:?}");
    }

    #[test]
    fn what_cannot_be_asked_says_where_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let docker = Docker::at(folder.path().join("none.sock"));
        let why = docker.find("db").unwrap_err().to_string();
        assert!(why.starts_with("Docker at ") && why.contains("none.sock"), "{why}");
        assert!(docker.find("../x").is_err());
        let (_folder, docker, served) = serve(vec!["nonsense".to_owned()]);
        assert!(docker.find("db").unwrap_err().to_string().contains("does not speak HTTP"));
        served.join().unwrap();
    }
}
