//! HTTP/2 between the two ends of a connection: spoken with each, so that each request can have a fate of its own. What is held
//! back is held by their flow control, stream by stream.

use std::io::Cursor;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream};

use super::http::Asked;
use super::link::Link;
use super::stream;

/// What one request, or answer, may have under way before its receiver has taken it.
const WINDOW: u32 = 256 * 1024;
/// The same of all on one connection.
const WINDOWS: u32 = 4 * 1024 * 1024;
/// How many requests may be given up by a client before they were looked at: whether it does that too often is for the server to say.
const GIVEN_UP: usize = 10_000;

/// Carries requests until one of the two ends is gone. `early`: what the server has said already.
pub(super) async fn relay(
    link: Rc<Link>,
    client: UnixStream,
    server: TcpStream,
    early: Vec<u8>,
) -> Result<(), h2::Error> {
    let (read, write) = server.into_split();
    let server = tokio::io::join(Cursor::new(early).chain(read), write);
    let mut asking = h2::server::Builder::new();
    asking.initial_window_size(WINDOW).initial_connection_window_size(WINDOWS);
    let mut asking = asking.max_pending_accept_reset_streams(GIVEN_UP).handshake::<_, Bytes>(client).await?;
    let mut answering = h2::client::Builder::new();
    answering.initial_window_size(WINDOW).initial_connection_window_size(WINDOWS).enable_push(false);
    let (send, answering) = answering.handshake::<_, Bytes>(server).await?;
    let mut answering = pin!(answering);
    let mut answers = true;
    loop {
        tokio::select! {
            asked = asking.accept() => match asked {
                Some(Ok((request, reply))) => {
                    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
                    let asked = Asked { method: request.method().as_str(), target, waits: false };
                    let fate = link.lives.of_stream(&asked);
                    drop(tokio::task::spawn_local(stream::carry(link.clone(), fate, request, reply, send.clone())));
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            ended = &mut answering, if answers => {
                // It takes no more requests, and has answered those it took: the client hears that, too.
                ended?;
                answers = false;
                asking.graceful_shutdown();
            }
        }
    }
}
