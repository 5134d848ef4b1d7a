//! The words of the command line. Durations carry their unit: `250ms`, `2s`, `15m`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// The parts of the reference shop.
#[derive(Debug, Clone, Subcommand)]
pub enum ShopCommand {
    /// Goods, stock, carts and orders on disk, with warehouse and delivery
    Store(Box<StoreArgs>),
    /// Captures and refunds payments, each once per key
    Payment(PaymentArgs),
    /// The business API that shoppers use; keeps nothing itself
    Node(NodeArgs),
    /// Balances over nodes, with health checks, ejection and safe retries
    Gateway(GatewayArgs),
    /// The whole shop in one process: store, payment, two nodes, gateway
    All(AllArgs),
    /// Fills a running store with goods and stock
    Seed(SeedArgs),
}

/// Bounds that every part has.
#[derive(Debug, Clone, Args)]
pub struct Bounds {
    /// Requests served at once; more are answered 503 with Retry-After
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub in_flight: usize,
    /// Connections held at once; more wait in the kernel's queue
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub connections: usize,
    /// From the stop signal to refusing connections, while readiness is bad
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub linger: Duration,
    /// For requests in flight to end once no more are accepted
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub finish: Duration,
}

/// Where a part keeps its data.
#[derive(Debug, Clone, Args)]
pub struct Data {
    /// Folder of the database, made if missing; without one, a folder named after the address under the system's
    /// temporary one
    #[arg(long, value_name = "FOLDER", env = "PEAKDRILL_FOLDER")]
    pub data: Option<PathBuf>,
    /// Writes that may wait for the disk at once; more are answered 503 with Retry-After
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub queue: usize,
}

#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Address to serve on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub listen: String,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub catalogue: Catalogue,
    /// An order that is not paid is cancelled after this long
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
    pub unpaid: Duration,
    /// From paid to picked
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub pick: Duration,
    /// From picked to shipped
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub ship: Duration,
    /// From shipped to delivered
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub deliver: Duration,
    #[command(flatten)]
    pub terms: Terms,
    #[command(flatten)]
    pub bounds: Bounds,
}

/// What suppliers and buyers can expect of the shop, and how long it takes.
#[derive(Debug, Clone, Copy, Args)]
pub struct Terms {
    /// From a supplier's application, or a buyer's wish to return goods, to the decision
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub review: Duration,
    /// From a lot's arrival to the end of its inspection
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub inspect: Duration,
    /// For goods to go between the buyer and the shop, either way
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub send_back: Duration,
    /// From received for repair to repaired
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub repair: Duration,
    /// From a complaint to its answer
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub answer: Duration,
    /// Complaints and applications that were not answered after this long are overdue
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub respond_within: Duration,
    /// After delivery, goods that are not wanted can be returned for this long
    #[arg(long, value_name = "TIME", default_value = "168h", value_parser = duration)]
    pub return_within: Duration,
    /// After delivery, goods that are not right can be returned or repaired for this long
    #[arg(long, value_name = "TIME", default_value = "720h", value_parser = duration)]
    pub warranty: Duration,
}

/// What a store that has no goods yet begins with.
#[derive(Debug, Clone, Args)]
pub struct Catalogue {
    /// Goods to begin with when the folder is empty
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub skus: u32,
    /// Pieces of each
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub stock: u32,
    /// Same seed, same names and prices
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Clone, Args)]
pub struct PaymentArgs {
    /// Address to serve on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub listen: String,
    #[command(flatten)]
    pub data: Data,
    /// What a capture takes at least, as a bank's answer would
    #[arg(long, value_name = "TIME", default_value = "15ms", value_parser = duration)]
    pub latency: Duration,
    /// Up to this much longer, evenly spread
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = duration)]
    pub jitter: Duration,
    #[command(flatten)]
    pub bounds: Bounds,
}

#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// Address to serve on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Address of the store
    #[arg(long, value_name = "HOST:PORT")]
    pub store: String,
    /// Address of the payment service; without one, orders cannot be paid
    #[arg(long, value_name = "HOST:PORT")]
    pub payment: Option<String>,
    #[command(flatten)]
    pub calls: NodeCalls,
    #[command(flatten)]
    pub bounds: Bounds,
}

/// How a node calls the store and the payment service.
#[derive(Debug, Clone, Args)]
pub struct NodeCalls {
    /// For the store to answer one call
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub store_timeout: Duration,
    /// For the payment service to answer one call
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub payment_timeout: Duration,
    /// Connections to each of them
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub pool: usize,
    /// Failed payment calls in a row that open the circuit breaker
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub breaker_failures: u32,
    /// For how long the breaker stays open before it lets a trial through
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub breaker_open: Duration,
    /// Age from which a payment that was begun and never ended is settled in the background
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub settle: Duration,
}

#[derive(Debug, Clone, Args)]
pub struct GatewayArgs {
    /// Address to serve on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Addresses of the nodes
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', required = true)]
    pub nodes: Vec<String>,
    #[command(flatten)]
    pub balance: Balance,
    #[command(flatten)]
    pub bounds: Bounds,
}

/// Which of the nodes that may take a request is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pick {
    /// The one with the fewest unanswered requests
    Fewest,
    /// Each in its turn
    Turns,
}

/// How the gateway judges and calls its nodes.
#[derive(Debug, Clone, Args)]
pub struct Balance {
    /// Which node is asked
    #[arg(long, value_enum, default_value = "fewest")]
    pub pick: Pick,
    /// For a connection to a node
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = duration)]
    pub connect_timeout: Duration,
    /// For a node to begin its answer, where another may be asked after it
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub try_timeout: Duration,
    /// For the whole answer, all tries together
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub answer_timeout: Duration,
    /// Between two health checks of a node
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = duration)]
    pub check_every: Duration,
    /// For a node to answer a health check
    #[arg(long, value_name = "TIME", default_value = "400ms", value_parser = duration)]
    pub check_timeout: Duration,
    /// Failures in a row (checks, or requests) after which a node is left out
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub eject_after: u32,
    /// For how long at least; doubled, up to eight times, while it keeps failing
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub eject_for: Duration,
    /// Connections to each node
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub pool: usize,
}

#[derive(Debug, Clone, Args)]
pub struct AllArgs {
    /// Address that the gateway serves on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Folder to keep the data in; without one, a temporary folder that is removed at the end
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub catalogue: Catalogue,
}

#[derive(Debug, Clone, Args)]
pub struct SeedArgs {
    /// Address of the store
    #[arg(long, value_name = "HOST:PORT")]
    pub store: String,
    #[command(flatten)]
    pub catalogue: Catalogue,
}

/// A whole number and `ms`, `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a whole number and its unit, such as 250ms, 2s or 15m".to_owned()),
    };
    let count: u64 = number.parse().map_err(|_| format!("`{number}` is no whole number"))?;
    count
        .checked_mul(scale)
        .filter(|ms| *ms <= 30 * 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(|| "more than 30 days".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Shop {
        #[command(subcommand)]
        part: ShopCommand,
    }

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        for wrong in ["", "5", "s", "-1s", "1.5s", "99999999999999999999s", "9999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nodes_are_a_list() {
        let shop = Shop::try_parse_from(["shop", "gateway", "--nodes", "127.0.0.1:1,127.0.0.1:2"]).unwrap();
        let ShopCommand::Gateway(args) = shop.part else { panic!("not the gateway") };
        assert_eq!(args.nodes, ["127.0.0.1:1", "127.0.0.1:2"]);
        assert!(Shop::try_parse_from(["shop", "gateway"]).is_err());
    }
}
