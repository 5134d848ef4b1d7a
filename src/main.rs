use std::process::ExitCode;

use clap::Parser;

/// Load testing and chaos drills from one file
#[derive(Debug, Parser)]
enum Peakdrill {
    /// The reference shop, a platform to drill
    #[command(subcommand)]
    Shop(peakdrill::shop::ShopCommand),
}

fn main() -> ExitCode {
    match Peakdrill::parse() {
        Peakdrill::Shop(part) => peakdrill::shop::main(part),
    }
}
