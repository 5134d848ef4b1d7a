//! What stands between a client and a server: our fault proxy, Toxiproxy, and a bare copier that only copies.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use peakdrill::plan::Protocol;
use peakdrill::proxy::{Proxy, Way};
use serde_json::json;

use super::Failed;
use super::asks::Asker;
use super::child::on_core;
use super::server::{await_listening, free_port};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// No more than must be done: each connection's bytes copied both ways, 64 KiB at a time, on one thread.
    Copier,
    /// `peakdrill proxy`, and so a link of `protocol: tcp`.
    Tcp,
    /// A link of `protocol: http`, as a drill has it.
    Http,
    Toxiproxy,
}

impl Who {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Copier => "bare copier",
            Who::Tcp => "peakdrill",
            Who::Http => "peakdrill, `protocol: http`",
            Who::Toxiproxy => "Toxiproxy",
        }
    }
}

/// One of them, running on a core of its own.
pub(crate) struct Stand {
    process: Process,
    pub(crate) at: SocketAddr,
    /// Where it is told about toxics.
    api: Option<SocketAddr>,
}

enum Process {
    Child(Child),
    Links(Proxy),
}

impl Stand {
    /// Leads to `to`. None where there is no such program.
    pub(crate) fn start(asker: &Asker<'_>, who: Who, to: SocketAddr) -> Result<Option<Stand>, Failed> {
        let (core, me) = (asker.cores.generator, std::env::current_exe()?);
        let (at, api) =
            (SocketAddr::from(([127, 0, 0, 1], free_port()?)), SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        let ours = Path::new(env!("CARGO_BIN_EXE_peakdrill"));
        let config = asker.folder.join(format!("{}.json", at.port()));
        fs::write(&config, json!([{ "name": "link", "listen": at, "upstream": to, "enabled": true }]).to_string())?;
        let mut command = match who {
            Who::Copier => on_core(core, &me),
            Who::Tcp => on_core(core, ours),
            Who::Toxiproxy => match asker.kit.toxiproxy() {
                Some(program) => on_core(core, program),
                None => return Ok(None),
            },
            Who::Http => return Ok(Some(Stand::links(core, ours, to)?)),
        };
        match who {
            Who::Copier => command.arg("copy").args([at.to_string(), to.to_string()]),
            Who::Tcp => command.args(["proxy", "--listen", &api.to_string(), "--config"]).arg(&config),
            _ => command.args(["-host", "127.0.0.1", "-port", &api.port().to_string(), "-config"]).arg(&config),
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let stand = Stand { process: Process::Child(child), at, api: (who != Who::Copier).then_some(api) };
        await_listening(at.port())?;
        Ok(Some(stand))
    }

    fn links(core: &str, program: &Path, to: SocketAddr) -> Result<Stand, Failed> {
        let way = Way { at: ([127, 0, 0, 1], 0).into(), to: vec![to], protocol: Protocol::Http };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (proxy, at) = runtime.block_on(Proxy::start(program, "BENCH=1", 1, vec![way], None, |_| {}))?;
        let stand = Stand { process: Process::Links(proxy), at: at[0], api: None };
        let moved = Command::new("taskset").args(["-a", "-cp", core, &stand.pid()?.to_string()]).output()?;
        if moved.status.success() { Ok(stand) } else { Err("taskset does not move the links' process".into()) }
    }

    fn pid(&self) -> Result<u32, Failed> {
        match &self.process {
            Process::Child(child) => Ok(child.id()),
            Process::Links(proxy) => Ok(proxy.identity().ok_or("the links' process has ended")?.pid),
        }
    }

    /// User and system seconds so far, to the hundredth.
    pub(crate) fn cpu(&self) -> Result<f64, Failed> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        let after = stat.rsplit_once(") ").ok_or("no stat")?.1;
        let ticks: f64 = after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / 100.0)
    }

    /// Has the answers' way take `milliseconds` longer, by the API that both have.
    pub(crate) fn delays(&self, milliseconds: u64) -> Result<(), Failed> {
        let toxic = json!({ "name": "delay", "type": "latency", "stream": "downstream", "attributes": { "latency": milliseconds } });
        let (api, toxic) = (self.api.ok_or("it has no API")?, toxic.to_string());
        let mut stream = TcpStream::connect(api)?;
        write!(
            stream,
            "POST /proxies/link/toxics HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{toxic}",
            toxic.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer.into()) }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        match &mut self.process {
            Process::Child(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Process::Links(proxy) => proxy.goodbye(),
        }
    }
}

/// The copier's part. Copies until it is killed.
pub(crate) fn copy(at: SocketAddr, to: SocketAddr) -> Result<(), Failed> {
    const SIZE: usize = 64 * 1024;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind(at).await?;
        loop {
            let (mut client, _) = listener.accept().await?;
            tokio::task::spawn_local(async move {
                let mut server = tokio::net::TcpStream::connect(to).await?;
                client.set_nodelay(true)?;
                server.set_nodelay(true)?;
                tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, SIZE, SIZE).await
            });
        }
    })
}
