use std::io;

use tokio::sync::{oneshot, watch};

use crate::base::host::{Identity, Launch, describe_exit};

/// A started program and how it ended, once it has.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) identity: Identity,
    pub(super) ended: watch::Receiver<Option<String>>,
}

/// Starts a program on a thread that lives as long as it does: the kernel ties the parent-death signal to the thread.
/// `on_end` is called there with the exit status in words.
pub(super) async fn keep(launch: Launch, on_end: impl FnOnce(&str) + Send + 'static) -> io::Result<Kept> {
    let (told, started) = oneshot::channel();
    let (tell_end, ended) = watch::channel(None);
    let work = move || {
        let mut launched = match launch.start() {
            Ok(launched) => launched,
            Err(error) => return drop(told.send(Err(error))),
        };
        let _ = told.send(Ok(launched.identity));
        let status = launched.wait().map_or_else(|error| format!("unknown: {error}"), describe_exit);
        on_end(&status);
        tell_end.send_replace(Some(status));
    };
    std::thread::Builder::new().name("keeper".to_owned()).spawn(work)?;
    let identity = started.await.map_err(|_| io::Error::other("the thread that was to start it is gone"))??;
    Ok(Kept { identity, ended })
}
