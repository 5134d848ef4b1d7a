//! The shop's whole reckoning: the store's own audit, and its book of payments held against the payment service's.

use std::cmp::Ordering;
use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Node;
use super::backend::Backend;
use crate::shop::problem::Problem;

const NAMED: usize = 20;

#[derive(Debug, Clone, Deserialize)]
struct Row {
    key: String,
    amount: i64,
    state: String,
}

#[derive(Deserialize)]
struct Rows {
    payments: Vec<Row>,
}

/// The payments of one side in order of their keys, fetched as they are needed.
struct Book<'a> {
    of: &'a Backend,
    rows: VecDeque<Row>,
    after: String,
    ended: bool,
}

impl<'a> Book<'a> {
    fn new(of: &'a Backend) -> Self {
        Self { of, rows: VecDeque::new(), after: String::new(), ended: false }
    }

    async fn head(&mut self) -> Result<Option<&Row>, Problem> {
        if self.rows.is_empty() && !self.ended {
            let page: Rows = self.of.get(&format!("/payments?limit=1000&after={}", self.after)).await?.json()?;
            self.ended = page.payments.len() < 1000;
            self.after = page.payments.last().map_or_else(String::new, |row| row.key.clone());
            self.rows = page.payments.into();
        }
        Ok(self.rows.front())
    }

    fn next(&mut self) {
        self.rows.pop_front();
    }
}

/// `payment_books.mismatches`: captured or refunded on one side and not on the other, or with another amount.
/// `open`: begun or due for a refund, which settles by itself; the two books may differ on those meanwhile.
pub(super) async fn audit(node: &Node) -> Result<Value, Problem> {
    let mut whole: Value = node.store.get("/audit").await?.json()?;
    let own = whole.get("consistent").and_then(Value::as_bool).unwrap_or(false);
    let Some(payment) = &node.payment else { return Ok(whole) };
    let (mut ours, mut theirs) = (Book::new(&node.store), Book::new(payment));
    let (mut compared, mut open, mut mismatches, mut named) = (0_u64, 0_u64, 0_u64, Vec::new());
    loop {
        let (a, b) = (ours.head().await?.cloned(), theirs.head().await?.cloned());
        let order = match (&a, &b) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.key.cmp(&b.key),
        };
        let a = a.filter(|_| order != Ordering::Greater);
        let b = b.filter(|_| order != Ordering::Less);
        compared += 1;
        match verdict(a.as_ref(), b.as_ref()) {
            Compared::Same => (),
            Compared::Open => open += 1,
            Compared::Differs => {
                mismatches += 1;
                if named.len() < NAMED {
                    named.extend(a.as_ref().or(b.as_ref()).map(|row| row.key.clone()));
                }
            }
        }
        if a.is_some() {
            ours.next();
        }
        if b.is_some() {
            theirs.next();
        }
    }
    let books = json!({ "compared": compared, "open": open, "mismatches": { "count": mismatches, "keys": named } });
    if let Value::Object(fields) = &mut whole {
        fields.insert("consistent".to_owned(), Value::Bool(own && mismatches == 0));
        fields.insert("payment_books".to_owned(), books);
    }
    Ok(whole)
}

#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Same,
    Open,
    Differs,
}

fn verdict(store: Option<&Row>, payment: Option<&Row>) -> Compared {
    let ours = store.map(|row| row.state.as_str());
    let theirs = payment.map(|row| row.state.as_str());
    let money = |row: Option<&Row>| row.map(|row| row.amount);
    match (ours, theirs) {
        (Some("pending"), _) | (Some("refund-due"), Some("captured" | "refunded")) => Compared::Open,
        (Some("captured"), Some("captured")) | (Some("refunded"), Some("refunded")) => {
            if money(store) == money(payment) { Compared::Same } else { Compared::Differs }
        }
        // An attempt that was given up moves no money; the store keeps only the last attempt of an order.
        (Some("voided") | None, Some("voided")) | (Some("voided"), None) => Compared::Same,
        _ => Compared::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &str, amount: i64) -> Row {
        Row { key: "k".to_owned(), amount, state: state.to_owned() }
    }

    #[test]
    fn only_money_on_one_side_is_a_mismatch() {
        let captured = row("captured", 5);
        assert_eq!(verdict(Some(&captured), Some(&captured)), Compared::Same);
        assert_eq!(verdict(Some(&captured), Some(&row("captured", 6))), Compared::Differs);
        assert_eq!(verdict(Some(&captured), None), Compared::Differs);
        assert_eq!(verdict(None, Some(&captured)), Compared::Differs);
        assert_eq!(verdict(Some(&row("voided", 5)), Some(&captured)), Compared::Differs);
        assert_eq!(verdict(Some(&row("pending", 5)), Some(&captured)), Compared::Open);
        assert_eq!(verdict(Some(&row("refund-due", 5)), Some(&captured)), Compared::Open);
        assert_eq!(verdict(Some(&row("voided", 5)), Some(&row("voided", 0))), Compared::Same);
        assert_eq!(verdict(None, Some(&row("voided", 0))), Compared::Same);
    }
}
