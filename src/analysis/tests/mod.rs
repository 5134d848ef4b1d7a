//! Folds against simulated platforms whose outages are known.

mod distribution;
mod occurrences;
mod online;
mod recovery;
mod windows;
