//! The reference shop as real processes: what drills are worth rests on it being right under load and under faults.
#![allow(clippy::disallowed_methods)]

mod books;
mod care;
mod faults;
mod merchants;
mod parts;
mod promises;
mod shop;
