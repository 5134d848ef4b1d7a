use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::PlatformError;
use super::networks::PORT;
use crate::base::host::{self, ReservedPort};
use crate::base::template::{Scope, Template};
use crate::plan::{self, Attach, ProcessId, ProcessSource};

/// The address of every process, chosen once by the system and kept over restarts, and what templates see of them.
#[derive(Debug)]
pub struct Bindings {
    addresses: Vec<Option<(String, u16)>>,
    /// Where the proxy of each link listens.
    links: Vec<SocketAddr>,
    constants: Map<String, Value>,
    /// As long as these live, nobody else is given the ports.
    _reserved: Vec<ReservedPort>,
}

impl Bindings {
    pub(super) fn choose(platform: &plan::Platform, constants: &Map<String, Value>) -> Result<Bindings, PlatformError> {
        let mut addresses = Vec::new();
        let mut reserved = Vec::new();
        for (index, process) in platform.processes.iter().enumerate() {
            if let Some(address) = platform.address(ProcessId::at(index)) {
                addresses.push(Some((address.to_string(), PORT)));
                continue;
            }
            addresses.push(match &process.source {
                ProcessSource::Run { .. } => {
                    let port = host::reserve_port()
                        .map_err(|why| PlatformError::Address { process: process.name.clone(), why })?;
                    let number = port.number();
                    reserved.push(port);
                    Some((Ipv4Addr::LOCALHOST.to_string(), number))
                }
                ProcessSource::Attach(Attach::Port(port)) => Some((Ipv4Addr::LOCALHOST.to_string(), *port)),
                ProcessSource::Attach(Attach::PidFile(_)) => None,
            });
        }
        let mut constants = constants.clone();
        constants.insert("process".to_owned(), Value::Object(named(platform, &addresses)));
        // Where those in networks reach them, too.
        let first = platform.networks.first().filter(|_| platform.has_networks());
        let listen = first.map_or(Ipv4Addr::LOCALHOST, |network| network.subnet.machine());
        let mut links = Vec::new();
        for link in &platform.links {
            links.push(match link.listen.as_ref().and_then(|at| at.parse().ok()) {
                Some(at) => at,
                None => {
                    let port = host::reserve_port()
                        .map_err(|why| PlatformError::LinkAddress { link: link.name.clone(), why })?;
                    let at = SocketAddr::from((listen, port.number()));
                    reserved.push(port);
                    at
                }
            });
        }
        let of = |at: &SocketAddr| json!({ "address": at.to_string(), "host": at.ip().to_string(), "port": at.port() });
        let named = platform.links.iter().zip(&links).map(|(link, at)| (link.name.clone(), of(at)));
        constants.insert("link".to_owned(), Value::Object(named.collect()));
        Ok(Bindings { addresses, links, constants, _reserved: reserved })
    }

    /// Host and port of a process; none for one that is attached to by a pid file.
    pub fn address(&self, process: ProcessId) -> Option<&(String, u16)> {
        self.addresses.get(process.index())?.as_ref()
    }

    /// Where the proxy of each link listens.
    pub fn links(&self) -> &[SocketAddr] {
        &self.links
    }

    /// `host:port` of every process that has one.
    pub fn all(&self) -> Vec<(ProcessId, String)> {
        let text = |(index, address): (usize, &Option<(String, u16)>)| {
            address.as_ref().map(|(host, port)| (ProcessId::at(index), format!("{host}:{port}")))
        };
        self.addresses.iter().enumerate().filter_map(text).collect()
    }

    /// What templates see once addresses are known: `process.NAME.{address,host,port}`, `process.GROUP.addresses`,
    /// `link.NAME.{address,host,port}`, and what was there before.
    pub fn constants(&self) -> &Map<String, Value> {
        &self.constants
    }

    /// `text` with every name settled; `own` are names of its own, such as `address`.
    pub(super) fn settle(&self, what: &str, text: &str, own: &[(&str, Value)]) -> Result<String, PlatformError> {
        let mut constants = self.constants.clone();
        constants.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let template = Template::parse(text)
            .map_err(|error| PlatformError::Unparsed { what: what.to_owned(), why: error.to_string() })?;
        let settled = template.settle(&mut Scope::new(&constants, Vec::new()));
        settled.map_err(|why| PlatformError::Template { what: what.to_owned(), why })
    }
}

/// A header whose value is a template, with every name settled; `of` is whose header it is.
pub(super) fn header(
    bindings: &Bindings,
    of: &str,
    name: &str,
    value: &plan::Template,
) -> Result<(HeaderName, HeaderValue), PlatformError> {
    let what = format!("header `{name}` of {of}");
    let text = bindings.settle(&what, &value.0, &[])?;
    let unparsed = |why: String| PlatformError::Unparsed { what: what.clone(), why };
    let name = HeaderName::try_from(name).map_err(|error| unparsed(error.to_string()))?;
    Ok((name, HeaderValue::try_from(text).map_err(|error| unparsed(error.to_string()))?))
}

fn named(platform: &plan::Platform, addresses: &[Option<(String, u16)>]) -> Map<String, Value> {
    let mut names = Map::new();
    for (process, address) in platform.processes.iter().zip(addresses) {
        let Some((host, port)) = address else { continue };
        let one = json!({ "address": format!("{host}:{port}"), "host": host, "port": port });
        let group = process.group.as_ref().unwrap_or(&process.name);
        let entry = names.entry(group.clone()).or_insert_with(|| json!({ "addresses": "" }));
        if let Some(Value::String(list)) = entry.get_mut("addresses") {
            let comma = if list.is_empty() { "" } else { "," };
            list.push_str(&format!("{comma}{host}:{port}"));
        }
        let target = names.entry(process.name.clone()).or_insert_with(|| json!({}));
        if let (Value::Object(target), Value::Object(one)) = (target, one) {
            target.extend(one);
        }
    }
    names
}

/// The end of a program's output that its error messages show: the whole lines of its last 2 KiB. A line that was cut is
/// left out, since half a secret would not be known for one.
pub(super) fn tail(path: &Path) -> String {
    const MOST: u64 = 2048;
    let read = || {
        let mut file = File::open(path)?;
        let from = file.metadata()?.len().saturating_sub(MOST);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(MOST).read_to_end(&mut bytes)?;
        std::io::Result::Ok((from, bytes))
    };
    let (from, bytes) = read().unwrap_or_default();
    let whole = match bytes.iter().position(|byte| *byte == b'\n').filter(|_| from > 0) {
        Some(end) => bytes.get(end + 1..).unwrap_or_default(),
        None if from > 0 => &[],
        None => bytes.as_slice(),
    };
    String::from_utf8_lossy(whole).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output_has_no_half_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, "first\nlast\n").unwrap();
        assert_eq!(tail(&path), "first\nlast");
        std::fs::write(&path, format!("{}hunter2\nlast\n", "x".repeat(9000))).unwrap();
        assert_eq!(tail(&path), "last");
        assert_eq!(tail(&folder.path().join("none")), "");
    }
}
