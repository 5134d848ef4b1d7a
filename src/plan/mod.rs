//! The plan as data.
