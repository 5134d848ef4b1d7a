use std::io;

use crate::base::template::RenderError;
use crate::wire::WireError;

/// Why a load could not be made ready. Once it runs, a failed request is data and no error.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{place}: {source}")]
    Template { place: String, source: RenderError },
    #[error("{place}: {why}")]
    Text { place: String, why: String },
    #[error("endpoint `{endpoint}`: {source}")]
    Endpoint { endpoint: String, source: WireError },
    #[error("feed `{feed}`: {why}")]
    Feed { feed: String, why: String },
    #[error("the log of load `{load}`: {why}")]
    Log { load: String, why: String },
    #[error("there is no journey `{0}` in this plan")]
    Journey(String),
    #[error("a worker could not be started: {0}")]
    Worker(#[from] io::Error),
    #[error("{ok} of {all} requests of the calibration were ok: nothing was measured")]
    NotCalibrated { ok: u64, all: u64 },
    #[error("the crew of a closed load could not be made ready: {0}")]
    Closed(String),
    #[error("this program was built without closed loads (`users`): build it with the cargo feature `closed`")]
    NotClosed,
    #[error("a worker has ended before its time; this is a defect of the harness")]
    Gone,
}
