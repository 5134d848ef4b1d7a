//! What one core of this machine can send: the engine against a server in this program, over loopback.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{Feeds, LoadError, MadeRows, Setting, saturate};
use crate::base::clock::Clock;
use crate::base::units::{Rate, Span};
use crate::plan::{LegId, Plan, Template};
use crate::record::{Book, Window};
use crate::wire::Door;

/// Kept busy at once: enough that the engine never waits for the server.
const CONNECTIONS: usize = 32;
/// What the server says to everything.
const ANSWER: &str = r#"{"id":"o-1","state":"placed"}"#;

/// How many requests of `plan`'s first load the engine sends for each second of CPU that it uses, measured for `span` with
/// nothing to wait for. It is the most: arrivals that come one by one cost more, for waking up.
pub fn calibrate(mut plan: Plan, constants: Map<String, Value>, span: Span) -> Result<Rate, LoadError> {
    let (tell, told) = channel();
    let (stop, stopped) = oneshot::channel();
    let server = std::thread::Builder::new().name("calibration".to_owned()).spawn(move || serve(&tell, stopped))?;
    let address = told.recv().map_err(|_| LoadError::Gone)??;
    for endpoint in &mut plan.platform.endpoints {
        endpoint.url = Template(format!("http://{address}"));
    }
    let here = Path::new(".");
    let door = Door::new(&Clock::start(), &plan.platform.allow, here);
    let feeds = Feeds::read(&plan, here, MadeRows::new())?;
    let run = "calibration".to_owned();
    let measured = saturate(
        &Setting {
            plan: Arc::new(plan),
            run,
            constants: Arc::new(constants),
            feeds,
            door,
            program: PathBuf::new(),
            files: here.to_owned(),
        },
        CONNECTIONS,
        span,
    );
    drop(stop);
    let _ = server.join();
    rate(&measured?)
}

fn rate(windows: &[Window]) -> Result<Rate, LoadError> {
    let cells = || windows.iter().flat_map(|window| &window.cells).filter(|cell| cell.book == Book::Leg(LegId(0)));
    let ok: u64 = cells().map(|cell| cell.counts.ok).sum();
    let all: u64 = cells().map(|cell| cell.counts.base()).sum();
    let cpu: f64 = windows.iter().map(|window| window.health.cpu.as_seconds_f64()).sum();
    if ok == 0 || ok < all || cpu <= 0.0 {
        return Err(LoadError::NotCalibrated { ok, all });
    }
    Ok(Rate::per_second(ok as f64 / cpu))
}

/// Serves until the other end of `stopped` goes.
fn serve(tell: &Sender<std::io::Result<String>>, stopped: oneshot::Receiver<()>) {
    let run = async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let _ = tell.send(listener.local_addr().map(|address| address.to_string()));
        let serve = async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(answer(stream));
            }
        };
        tokio::select! { () = serve => {}, _ = stopped => {} }
        Ok(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.and_then(|runtime| tokio::task::LocalSet::new().block_on(&runtime, run));
    if let Err(error) = done {
        let _ = tell.send(Err(error));
    }
}

async fn answer(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", ANSWER.len());
    let answer = head + ANSWER;
    let mut request = [0u8; 4096];
    let mut have = 0;
    while let Ok(read @ 1..) = stream.read(request.get_mut(have..).unwrap_or_default()).await {
        have += read;
        // One request at a time: a head, and a body that ends with `}`.
        let asked = request.get(..have).unwrap_or_default();
        let whole = asked.ends_with(b"}") || (asked.starts_with(b"GET ") && asked.ends_with(b"\r\n\r\n"));
        if !whole {
            continue;
        }
        have = 0;
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
