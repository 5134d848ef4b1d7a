//! The reference shop: a small real shop in parts, started as `peakdrill shop PART`, so that drills have an honest
//! platform to hurt. It sells goods without overselling, keeps what it acknowledges over `kill -9`, and sheds what it
//! cannot serve.
//!
//! The parts: `store` owns goods, stock, carts and orders, suppliers and their lots, returns, repairs, complaints and
//! reviews, and runs warehouse, delivery and after-sales; `payment` captures money, once per key; `node` is the
//! stateless business API; `gateway` balances over nodes; `seed` fills a store; `all` runs everything in one process.
//!
//! It is a separate program in spirit: it uses nothing of the other rooms, reads its own clock, and knows nothing of
//! drills. What a drill does to it is left to `platform` and `fault`.
//!
//! Paths that every part answers: `/livez` (the process answers), `/healthz` (it can serve), `/readyz` (with its
//! dependencies; bad from the first stop signal on), `/metrics` (Prometheus text). See [`gateway`] for what its
//! `/healthz` and `/health/nodes` say of the nodes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout, clippy::print_stderr)]

mod all;
mod args;
mod breaker;
mod budget;
mod client;
mod clock;
mod database;
mod edge;
mod gateway;
mod metrics;
mod node;
mod payment;
mod problem;
mod seed;
mod serve;
mod store;

pub use args::{AllArgs, GatewayArgs, NodeArgs, PaymentArgs, SeedArgs, ShopCommand, StoreArgs};

use std::process::ExitCode;

/// What keeps a part of the shop from starting or going on.
#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("cannot listen on {address}: {source}; choose another --listen")]
    Listen { address: String, source: std::io::Error },
    #[error("cannot use the data folder {}: {source}; choose another --data", folder.display())]
    Folder { folder: std::path::PathBuf, source: std::io::Error },
    #[error("cannot open the database {}: {source}; move it away to start afresh", path.display())]
    Database { path: std::path::PathBuf, source: rusqlite::Error },
    #[error("{} was made by another version of the shop; move it away to start afresh", path.display())]
    OtherVersion { path: std::path::PathBuf },
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    #[error("the store at {address} did not take the goods: {what}; is it running?")]
    Seed { address: String, what: String },
}

/// Runs one part until it is told to stop (TERM or INT), and says how it ended: 0 after a graceful stop.
pub fn main(command: ShopCommand) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&ShopError::Start(error)),
    };
    let ended = runtime.block_on(run(command));
    // Blocking reads that outlived the grace period must not hold the exit up.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(command: ShopCommand) -> Result<(), ShopError> {
    if let ShopCommand::Seed(args) = command {
        return seed::run(&args).await;
    }
    let stop = serve::Stop::on_signals().map_err(ShopError::Start)?;
    match command {
        ShopCommand::Store(args) => store::run(*args, stop).await,
        ShopCommand::Payment(args) => payment::run(args, stop).await,
        ShopCommand::Node(args) => node::run(args, stop).await,
        ShopCommand::Gateway(args) => gateway::run(args, stop).await,
        ShopCommand::All(args) => all::run(args, stop).await,
        ShopCommand::Seed(_) => Ok(()),
    }
}

fn failed(error: &ShopError) -> ExitCode {
    eprintln!("peakdrill shop: {error}");
    ExitCode::FAILURE
}
