//! The store: the one owner of goods, stock, carts, orders and the book of payments, of suppliers, lots, claims and
//! reviews, on disk. Warehouse and delivery, admission, inspection and after-sales run in its background. Its HTTP
//! interface is for nodes and operators, not for shoppers.

mod audit;
mod carts;
mod claims;
mod goods;
mod keys;
mod lots;
mod orders;
mod reviews;
mod routes;
mod schema;
mod suppliers;
#[cfg(test)]
mod tests;
mod totals;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

pub(super) use carts::name as cart_name;
pub(super) use goods::Goods;
pub(super) use totals::Totals;

use super::args::{Bounds, Catalogue, Data, StoreArgs, Terms};
use super::clock::{millis, now_ms, token};
use super::database::Database;
use super::edge::Edge;
use super::serve::{self, Stop};
use super::{ShopError, seed};

/// How long orders stay in their states.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delays {
    pub(super) unpaid: Duration,
    pub(super) pick: Duration,
    pub(super) ship: Duration,
    pub(super) deliver: Duration,
}

impl From<&StoreArgs> for Delays {
    fn from(args: &StoreArgs) -> Self {
        Self { unpaid: args.unpaid, pick: args.pick, ship: args.ship, deliver: args.deliver }
    }
}

pub(super) struct Store {
    database: Database,
    delays: Delays,
    terms: Terms,
    edge: Arc<Edge>,
}

/// Rows that are moved on in one go, of each state: it must not keep buyers waiting for the disk.
const HANDFUL: i64 = 100;
const CHORES_EVERY: Duration = Duration::from_millis(50);
/// Carts and refusals are kept for a day.
const KEPT: Duration = Duration::from_secs(86_400);

pub(super) async fn run(args: StoreArgs, stop: Stop) -> Result<(), ShopError> {
    let (listener, address) = serve::listen(&args.listen).await?;
    let folder = folder(&args.data, "store", &address.to_string());
    let pace = (Delays::from(&args), args.terms);
    let store = open(&folder, &args.data, &args.catalogue, pace, &args.bounds, stop).await?;
    serve::announce("store", address);
    store.serve(listener, &args.bounds).await;
    Ok(())
}

/// Where the data goes when nobody says so: a folder of this address, found again by a restart at the same address.
pub(super) fn folder(data: &Data, part: &str, address: &str) -> PathBuf {
    let own = || std::env::temp_dir().join("peakdrill-shop").join(format!("{part}-{}", address.replace(':', "-")));
    data.data.clone().unwrap_or_else(own)
}

/// Opens the folder, and fills it with a small catalogue if it is empty.
pub(super) async fn open(
    folder: &std::path::Path,
    data: &Data,
    catalogue: &Catalogue,
    (delays, terms): (Delays, Terms),
    bounds: &Bounds,
    stop: Stop,
) -> Result<Store, ShopError> {
    let database = Database::open(folder, "store.db", schema::SCHEMA, data.queue)?;
    let goods = seed::goods(catalogue.skus, catalogue.stock, catalogue.seed);
    let instance = token();
    let fill = move |c: &rusqlite::Connection| {
        c.execute("INSERT OR IGNORE INTO meta VALUES ('instance', ?1)", [&instance[..12]])?;
        match goods::version(c)? {
            0 => goods::seed(c, &goods, now_ms()).map(drop),
            _ => Ok(()),
        }
    };
    database.write_patiently(fill).await.map_err(|problem| ShopError::Folder {
        folder: folder.to_owned(),
        source: std::io::Error::other(problem.error),
    })?;
    Ok(Store { database, delays, terms, edge: Edge::new("store", bounds.in_flight, stop) })
}

impl Store {
    pub(super) async fn serve(self, listener: TcpListener, bounds: &Bounds) {
        let stop = self.edge.stop.clone();
        let store = Arc::new(self);
        let chores = tokio::spawn(chores(Arc::clone(&store)));
        serve::serve(listener, routes::routes(store), stop, bounds.into()).await;
        // What it has begun is committed or not; it resumes from the rows.
        chores.abort();
    }
}

/// Moves on what falls due, by what is written in its row, so that a restart goes on where the last run was.
async fn chores(store: Arc<Store>) {
    let mut tick = interval(CHORES_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round: u32 = 0;
    let (delays, terms) = (store.delays, store.terms);
    loop {
        tick.tick().await;
        round = round.wrapping_add(1);
        // A look first, so that an idle shop writes nothing.
        let now = now_ms();
        let look = move |c: &rusqlite::Connection| {
            Ok([
                orders::any_due(c, now)?,
                claims::any_due(c, now)?,
                lots::any_due(c, now)?,
                suppliers::any_due(c, now)?,
            ])
        };
        let [orders, claims, lots, suppliers] = store.database.read(look).await.unwrap_or_default();
        // Each on its own, so that the buyers' writes come in between. What failed now is still due in the next round.
        if orders {
            let _ = store.database.write_patiently(move |c| orders::advance(c, delays, HANDFUL, now)).await;
        }
        if claims {
            let _ = store.database.write_patiently(move |c| claims::advance(c, terms, HANDFUL, now)).await;
        }
        if lots {
            let _ = store.database.write_patiently(move |c| lots::advance(c, HANDFUL, now)).await;
        }
        if suppliers {
            let _ = store.database.write_patiently(move |c| suppliers::advance(c, HANDFUL, now)).await;
        }
        if round.is_multiple_of(200) {
            let before = now.saturating_sub(millis(KEPT));
            let _ = store.database.write_patiently(move |c| carts::sweep(c, before, 1000)).await;
        }
    }
}
