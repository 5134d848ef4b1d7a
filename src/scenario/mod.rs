//! The YAML of a drill exactly as written, with positions: what its blocks are, how they are read, their JSON Schema.
//!
//! One definition of a block makes its type, its decoder, its schema and its list of words. Reading goes over a tree
//! with positions and says every mistake at once; where something was refused stands a hole, about which nothing more is
//! said. A block checks what it can tell by itself (units, ranges, words that go together).
//!
//! Leaves to others: references between blocks, defaults and everything that follows (`compile`); reading files, which
//! it is handed (`cli`).

mod collection;
mod decode;
mod define;
mod field;
mod files;
mod overlay;
mod schema;
mod set;
mod value;
mod vars;
mod words;

pub use field::{AnyKey, Field, Free, List, Named, Reached, Spanned};
pub use files::{Files, Loader, beside, open};
pub use schema::schema;
pub use value::{Languages, Range, Template, Tree};
pub use words::*;

#[cfg(test)]
mod tests;
