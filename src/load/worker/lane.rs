//! What visits are of.

use crate::base::units::At;
use crate::plan::{EndpointId, JourneyId, LoadId, SeriesId};

/// One journey of one load: where its figures belong.
pub(in crate::load) struct Lane {
    pub load: Option<LoadId>,
    pub journey: JourneyId,
    pub program: usize,
    /// Of [`Load::roles`](crate::plan::Load::roles).
    pub role: usize,
    /// By [`Ask::index`](crate::load::program::Ask); empty where no figures are kept.
    pub series: Vec<SeriesId>,
    /// Its visits are those of users, who keep cookies and connections from one to the next.
    pub kept: bool,
}

/// One arrival, on its way through its journey.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Arrival {
    pub lane: usize,
    pub k: u64,
    pub planned: At,
    pub released: At,
    /// A connection to this endpoint is kept for it, or a place in the queue.
    pub reserved: Option<EndpointId>,
}
