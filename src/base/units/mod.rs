//! Durations, instants, rates, sizes, shares and money: values with their unit in the type, parsed from and printed in
//! the words of the scenario language (`800ms`, `1m30s`, `1200/s`, `64KiB`, `30%`).
//!
//! Leaves to others: reading a clock (`clock`), positions in a file (`diagnostic`).

mod offset;
mod parse;
mod text;
mod time;
mod value;

pub use offset::{Offset, parse_offset};
pub use parse::{UnitError, parse_flow, parse_rate, parse_share, parse_size, parse_span};
pub use text::{Lang, Text};
pub use time::{At, Span};
pub use value::{Cents, Flow, Rate, Share, Size};
