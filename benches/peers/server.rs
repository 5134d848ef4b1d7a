//! What is asked: nginx, and for the truth a small server that freezes or stalls on its own clock.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use peakdrill::base::clock::Clock;
use peakdrill::base::units::{At, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::Failed;
use super::child::on_core;

/// What `/large` answers.
pub(crate) const LARGE: usize = 256 * 1024;
const SOON: Span = Span::seconds(10);

/// One worker on one core; it listens on several addresses, so that the ports of one client's connections are not missing for
/// the next.
pub(crate) struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Nginx {
    pub(crate) fn start(core: &str) -> Result<Nginx, Failed> {
        let port = free_port()?;
        let folder = tempfile::tempdir()?;
        let place = folder.path().display();
        let order = r#"{"id":"o-17","state":"placed","amount":17}"#;
        let listen: String = (1..=32).map(|host| format!("listen 127.0.0.{host}:{port} backlog=4096; ")).collect();
        let config = format!(
            "daemon off; worker_processes 1; worker_rlimit_nofile 19000; pid {place}/pid; error_log {place}/error.log crit;
             events {{ worker_connections 18000; }}
             http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600; client_body_temp_path {place}/body;
               proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
               server {{ {listen} default_type application/json;
                 location /large {{ root {place}; }}
                 location / {{ return 200 '{{\"ok\":true}}'; }} location /order {{ return 200 '{order}'; }} }} }}"
        );
        fs::write(folder.path().join("large"), vec![b'x'; LARGE])?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config)?;
        let child = on_core(core, Path::new("nginx")).arg("-c").arg(&file).stderr(Stdio::null()).spawn()?;
        let nginx = Nginx { child, folder, port };
        await_listening(port)?;
        Ok(nginx)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// At one of its 32 addresses.
    pub(crate) fn url(&self, host: usize) -> String {
        format!("http://127.0.0.{}:{}", host % 32 + 1, self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master stops its worker when it is told to quit; KILL would leave the worker behind.
        if let Ok(pid) = fs::read_to_string(self.folder.path().join("pid")) {
            let _ = Command::new("kill").args(["-TERM", pid.trim()]).status();
        }
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> Result<u16, Failed> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub(crate) fn await_listening(port: u16) -> Result<(), Failed> {
    let clock = Clock::start();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if clock.now() > At::START + SOON {
            return Err("the server does not listen".into());
        }
        clock.block_for(Span::millis(10));
    }
    Ok(())
}

/// How a server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// All of it does nothing for 1 s in every 5.
    Freezes,
    /// Every hundredth answer comes after 200 ms, the others at once.
    Stalls,
}

impl Trouble {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Trouble::Freezes => "freezes",
            Trouble::Stalls => "stalls",
        }
    }
}

/// That server, as a child.
pub(crate) struct Troubled {
    child: Child,
    port: u16,
}

impl Troubled {
    pub(crate) fn start(core: &str, trouble: Trouble) -> Result<Troubled, Failed> {
        let port = free_port()?;
        let me = std::env::current_exe()?;
        let child = on_core(core, &me).args(["serve", trouble.word(), &port.to_string()]).spawn()?;
        let troubled = Troubled { child, port };
        await_listening(port)?;
        Ok(troubled)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Troubled {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed.
pub(crate) fn serve(trouble: &str, port: u16) -> Result<(), Failed> {
    let freezes = trouble == Trouble::Freezes.word();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let clock = Clock::start();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(([127, 0, 0, 1], port).into())?;
        // Whoever dials while it is frozen waits for it, and not for a second try of its kernel.
        let listener = socket.listen(4096)?;
        if freezes {
            let clock = clock.clone();
            tokio::task::spawn_local(async move {
                for round in 0.. {
                    clock.sleep_until(At::START + Span::millis(round * 5_000 + 2_500)).await;
                    // The thread, and with it all that is served.
                    clock.block_until(At::START + Span::millis(round * 5_000 + 3_500));
                }
            });
        }
        let count = Rc::new(Cell::new(0u64));
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(answer(stream, (!freezes).then(|| count.clone()), clock.clone()));
        }
    })
}

async fn answer(mut stream: TcpStream, stalls: Option<Rc<Cell<u64>>>, clock: Clock) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
    let _ = stream.set_nodelay(true);
    let mut request = [0u8; 4096];
    let mut have = 0;
    while let Ok(read @ 1..) = stream.read(request.get_mut(have..).unwrap_or_default()).await {
        have += read;
        // Everybody asks by GET, one request at a time.
        if !request.get(..have).unwrap_or_default().ends_with(b"\r\n\r\n") {
            continue;
        }
        have = 0;
        if let Some(count) = &stalls {
            count.set(count.get() + 1);
            if count.get().is_multiple_of(100) {
                clock.sleep(Span::millis(200)).await;
            }
        }
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
