//! Tries of requests that another try followed: told beside the table of steps, for they are no requests of their own.

use super::{Model, Words};
use crate::plan::Scope;

/// A line for each step of which something was tried again.
pub(super) fn lines(model: &Model<'_>, words: Words) -> Vec<String> {
    let rows = model.whole().into_iter().flat_map(|table| &table.rows);
    let again = rows.filter(|row| matches!(row.scope, Scope::Step(_)) && !row.again.is_empty());
    again
        .map(|row| {
            let times = row.again.iter().map(|(_, count)| count).sum();
            let kinds = row.again.iter().map(|&(kind, count)| words.pair(words.bad_kind(kind), words.count(count)));
            let kinds = kinds.collect::<Vec<_>>().join(&words.clause());
            words.tried_again(words.scope(model.plan, row.scope), words.n_times(times), kinds)
        })
        .collect()
}
