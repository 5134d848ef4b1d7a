//! What a run leaves behind: entries, windows, vitals and process output, one folder a run, append-only and versioned.
//! A record is read together with its plan; ids are the plan's.
//!
//! | file | what |
//! |---|---|
//! | `plan.json` | the plan; written whole before anything else |
//! | `origins.json` | where each of its values came from |
//! | `events.jsonl` | an [`Entry`] a line; locked while the writer lives |
//! | `windows.jsonl` | a [`Window`] a line, without its distributions |
//! | `histograms.hlog` | those, as a standard HdrHistogram interval log |
//! | `vitals.jsonl` | a [`Vital`] a line |
//! | `output/PROCESS.log` | what the platform's processes wrote |
//!
//! Lines carry their number over all three `.jsonl` files: a reader gives back exactly the order of appending.
//!
//! Leaves to others: what the entries mean (`analysis`), and who writes when (`drill` is the only holder of a writer;
//! `merge` makes one record of those of a drill's parts).

mod approval;
mod entry;
mod error;
mod folder;
mod histograms;
mod latency;
mod lines;
mod mask;
mod merge;
mod numbers;
mod parcel;
mod part;
mod reader;
mod runs;
mod sight;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub use approval::Approval;
pub use entry::{ActionEnd, ActionEvent, EndReason, Entry, Event, Failure, FaultEvent, HostFacts, Reading, Vital};
pub use error::RecordError;
pub use folder::{Folder, run_id};
pub use latency::Latency;
pub use merge::merge;
pub use numbers::Numbers;
pub use parcel::Parcel;
pub use part::{Lack, Part};
pub use reader::{Item, Reader, VERSION};
pub use runs::{RunFacts, find_run, list_runs, remove_run};
pub use sight::{ContainerState, Sight};
pub use window::{
    Against, BadKind, Book, Cell, Counts, FigureCell, GeneratorHealth, Unpacked, UnsentKind, UserCell, VisitCell,
    Window,
};
pub use writer::{Masker, Writer};
