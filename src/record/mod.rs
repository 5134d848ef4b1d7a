//! What a run leaves behind: entries, windows, vitals and process output, one folder a run, append-only and versioned.
//! A record is read together with its plan; ids are the plan's.
//!
//! Leaves to others: what the entries mean (`analysis`), and who writes when (`drill` is the only holder of a writer).

mod entry;
mod latency;
mod window;

pub use entry::{EndReason, Entry, Event, Failure, FaultEvent, HostFacts, Vital};
pub use latency::Latency;
pub use window::{Against, BadKind, Book, Cell, Counts, GeneratorHealth, UnsentKind, VisitCell, Window};
