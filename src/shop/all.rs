//! The whole shop in one process, for a first look: the parts are the same, and talk over the same sockets.

use std::path::{Path, PathBuf};

use clap::FromArgMatches;
use tokio::task::JoinSet;

use super::ShopError;
use super::args::{AllArgs, GatewayArgs, NodeArgs, PaymentArgs, StoreArgs};
use super::clock::token;
use super::payment::{self, Pace};
use super::serve::{self, Stop};
use super::store::{self, Delays};
use super::{gateway, node};

const NODES: usize = 2;

/// Removed with everything in it when dropped, unless it is the user's own.
struct Folder {
    path: PathBuf,
    ours: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours {
            // What cannot be removed lies in the system's temporary folder, which is cleaned anyway.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

pub(super) async fn run(args: AllArgs, stop: Stop) -> Result<(), ShopError> {
    let folder = match &args.data {
        Some(path) => Folder { path: path.clone(), ours: false },
        None => Folder { path: std::env::temp_dir().join(format!("peakdrill-shop-{}", token())), ours: true },
    };
    let ended = run_in(&folder.path, args, stop).await;
    drop(folder);
    ended
}

async fn run_in(folder: &Path, args: AllArgs, stop: Stop) -> Result<(), ShopError> {
    let (front, front_address) = serve::listen(&args.listen).await?;
    let store_args: StoreArgs = defaults("store", &[])?;
    let payment_args: PaymentArgs = defaults("payment", &[])?;
    // Each layer stops after the one in front of it, so that what is in flight finds everything it needs.
    let (behind, middle) = (Stop::new(), Stop::new());
    let mut backs = JoinSet::new();

    let (listener, store_address) = serve::listen("127.0.0.1:0").await?;
    let pace = (Delays::from(&store_args), store_args.terms);
    let (data, bounds) = (store_args.data, store_args.bounds);
    let shelf = folder.join("store");
    let store = store::open(&shelf, &data, &args.catalogue, pace, &bounds, behind.clone()).await?;
    backs.spawn(async move { store.serve(listener, &bounds).await });

    let (listener, payment_address) = serve::listen("127.0.0.1:0").await?;
    let pace = Pace { latency: payment_args.latency, jitter: payment_args.jitter };
    let app = payment::open(&folder.join("payment"), &payment_args.data, pace, &payment_args.bounds, &behind)?;
    let stops = behind.clone();
    backs.spawn(async move { payment::serve(listener, app, &payment_args.bounds, stops).await });

    let (mut nodes, mut addresses) = (JoinSet::new(), Vec::new());
    let (store_address, payment_address) = (store_address.to_string(), payment_address.to_string());
    for _ in 0..NODES {
        let args: NodeArgs = defaults("node", &["--store", &store_address, "--payment", &payment_address])?;
        let (listener, address) = serve::listen("127.0.0.1:0").await?;
        let app = node::open(&args.store, args.payment.as_deref(), &args.calls, &args.bounds, &middle);
        nodes.spawn(serve::serve(listener, app, middle.clone(), (&args.bounds).into()));
        addresses.push(address.to_string());
    }

    let gateway_args: GatewayArgs = defaults("gateway", &["--nodes", &addresses.join(",")])?;
    let app = gateway::open(&gateway_args.nodes, &gateway_args.balance, &gateway_args.bounds, &stop);
    serve::announce("shop", front_address);
    serve::serve(front, app, stop, (&gateway_args.bounds).into()).await;
    middle.ask();
    while nodes.join_next().await.is_some() {}
    behind.ask();
    while backs.join_next().await.is_some() {}
    Ok(())
}

/// A part's own defaults, from the one place that states them.
fn defaults<A: clap::Args + FromArgMatches>(part: &'static str, words: &[&str]) -> Result<A, ShopError> {
    let failed = |error: clap::Error| ShopError::Start(std::io::Error::other(error.to_string()));
    let command = A::augment_args(clap::Command::new(part).no_binary_name(true));
    let matches = command.try_get_matches_from(words).map_err(failed)?;
    A::from_arg_matches(&matches).map_err(failed)
}
