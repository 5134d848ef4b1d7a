//! `{{ … }}` in texts and JSON, and JSONPath: parse once with places and free names, bind the names to slots once a run,
//! render per visit. MiniJinja's expressions; the common ones are rendered without it.
//!
//! Three steps: [`Template::parse`] (what `check` does; says which names are used where and how early the text is known),
//! [`Template::bind`] (once a run: what is constant by then is folded into text), [`Bound::render`] (per visit: no lock,
//! and no allocation for plain names and helpers).
//!
//! Leaves to others: which names there are (`compile`), reading clocks (`now` is handed in), rows of feeds (`load`).

mod bind;
mod expression;
mod json;
mod jsonpath;
mod lex;
mod mask;
mod parse;
mod render;
mod text;

pub use bind::{Bound, FeedShape, Scope};
pub use json::BoundJson;
pub use jsonpath::{JsonPath, JsonPathError};
pub use mask::{MASK, Masker};
pub use parse::{HELPERS, Helper, Reference, Stage, Template, TemplateError};
pub use render::{Cell, NoRows, RenderError, Rows, Visit};
pub use text::Escape;

#[cfg(test)]
mod tests;
