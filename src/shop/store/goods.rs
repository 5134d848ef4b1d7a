//! Goods and their stock. Goods of a supplier begin unlisted: buyers neither see nor order them until it lists them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{keys, lots, suppliers, totals};
use crate::shop::problem::Problem;

/// Either what was asked for, or why not; the outer error is the storage's.
pub(super) type Outcome<T> = rusqlite::Result<Result<T, Problem>>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::shop) struct Goods {
    pub(in crate::shop) sku: i64,
    pub(in crate::shop) name: String,
    pub(in crate::shop) category: String,
    /// Cents.
    pub(in crate::shop) price: i64,
    /// Pieces to begin with; not part of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::shop) stock: Option<i64>,
}

/// `available + reserved + sold + held + scrapped = stocked`, always; the table itself refuses anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Stock {
    sku: i64,
    available: i64,
    reserved: i64,
    sold: i64,
    /// Back from a buyer whose refund is due.
    held: i64,
    scrapped: i64,
    /// All that passed inspection, ever.
    pub(super) stocked: i64,
}

/// Goods as their supplier sees them, listed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Offer {
    pub(super) sku: i64,
    name: String,
    category: String,
    pub(super) price: i64,
    /// None: the house's own.
    pub(super) supplier: Option<i64>,
    pub(super) listed: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct NewOffer {
    key: String,
    supplier: i64,
    name: String,
    category: String,
    price: i64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Seeded {
    added: usize,
    changed: usize,
    /// Already traded, so their stock was left as it is.
    kept: usize,
}

pub(super) const MOST_PIECES: i64 = 1_000_000_000;
const MOST_PRICE: i64 = 1_000_000_000;
/// Goods of suppliers are numbered from here on; smaller numbers are for what is seeded.
const SUPPLIED_FROM: i64 = 1_000_000_001;

/// Adds or renames goods. Stock is set only where nothing came in or went out yet, so that seeding twice is seeding once.
pub(super) fn seed(c: &Connection, goods: &[Goods], now: i64) -> Outcome<Seeded> {
    for one in goods {
        let stock = one.stock.unwrap_or(0);
        let numbered = (1..SUPPLIED_FROM).contains(&one.sku);
        let sound = numbered && (1..=MOST_PRICE).contains(&one.price) && (0..=MOST_PIECES).contains(&stock);
        if !sound || one.name.len() > 200 || one.category.len() > 100 {
            return Ok(Err(Problem::bad(format!("goods {} have no sound sku, name, price or stock", one.sku))));
        }
    }
    let mut seeded = Seeded::default();
    for one in goods {
        let stock = one.stock.unwrap_or(0);
        let mut product = c.prepare_cached(
            "INSERT INTO products (sku, name, category, price) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (sku) DO UPDATE SET name = excluded.name, category = excluded.category, price = excluded.price",
        )?;
        product.execute(params![one.sku, one.name, one.category, one.price])?;
        let mut fresh = c.prepare_cached("INSERT OR IGNORE INTO stock VALUES (?1, ?2, 0, 0, 0, 0, ?2)")?;
        if fresh.execute(params![one.sku, stock])? == 1 {
            lots::own_lot(c, "opening", one.sku, stock, None, now)?;
            totals::moved(c, "goods", None, "listed")?;
            seeded.added += 1;
            continue;
        }
        let mut untouched = c.prepare_cached(
            "UPDATE stock SET available = ?2, stocked = ?2 WHERE sku = ?1 AND available = stocked
             AND NOT EXISTS (SELECT 1 FROM lots WHERE sku = ?1 AND origin <> 'opening')",
        )?;
        match untouched.execute(params![one.sku, stock])? {
            0 => seeded.kept += 1,
            _ => {
                let mut opening = c.prepare_cached("UPDATE lots SET quantity = ?2, remaining = ?2 WHERE sku = ?1")?;
                opening.execute(params![one.sku, stock])?;
                seeded.changed += 1;
            }
        }
    }
    bump_version(c)?;
    Ok(Ok(seeded))
}

fn bump_version(c: &Connection) -> rusqlite::Result<()> {
    c.execute(
        "INSERT INTO meta VALUES ('catalogue', '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
        [],
    )
    .map(drop)
}

/// Grows with every change of the goods (0: there are none yet).
pub(super) fn version(c: &Connection) -> rusqlite::Result<i64> {
    let mut select = c.prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'catalogue'")?;
    Ok(select.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub(super) fn page(c: &Connection, after: i64, limit: i64) -> rusqlite::Result<Vec<Goods>> {
    let mut select = c.prepare_cached(
        "SELECT sku, name, category, price FROM products WHERE sku > ?1 AND listed ORDER BY sku LIMIT ?2",
    )?;
    select.query_map([after, limit], goods_row)?.collect()
}

/// Goods as buyers see them: only what is listed.
pub(super) fn one(c: &Connection, sku: i64) -> rusqlite::Result<Option<Goods>> {
    let mut select = c.prepare_cached("SELECT sku, name, category, price FROM products WHERE sku = ?1 AND listed")?;
    select.query_row([sku], goods_row).optional()
}

fn goods_row(row: &Row<'_>) -> rusqlite::Result<Goods> {
    Ok(Goods { sku: row.get(0)?, name: row.get(1)?, category: row.get(2)?, price: row.get(3)?, stock: None })
}

pub(super) fn any(c: &Connection, sku: i64) -> rusqlite::Result<Option<Offer>> {
    let mut select =
        c.prepare_cached("SELECT sku, name, category, price, supplier, listed FROM products WHERE sku = ?1")?;
    let row = |row: &Row<'_>| {
        Ok(Offer {
            sku: row.get(0)?,
            name: row.get(1)?,
            category: row.get(2)?,
            price: row.get(3)?,
            supplier: row.get(4)?,
            listed: row.get(5)?,
        })
    };
    select.query_row([sku], row).optional()
}

/// New goods of a supplier, and whether they are new ones. They have no stock and are not listed yet.
pub(super) fn register(c: &Connection, new: &NewOffer, now: i64) -> Outcome<(Offer, bool)> {
    if let Some(wrong) = keys::unsound(&new.key) {
        return Ok(Err(wrong));
    }
    let text = |text: &str, most| (1..=most).contains(&text.len());
    if !text(&new.name, 200) || !text(&new.category, 100) || !(1..=MOST_PRICE).contains(&new.price) {
        return Ok(Err(Problem::bad("goods need a `name`, a `category` and a `price` in cents")));
    }
    let mut earlier = c.prepare_cached("SELECT sku FROM products WHERE key = ?1")?;
    let earlier = match earlier.query_row([&new.key], |row| row.get(0)).optional()? {
        Some(sku) => any(c, sku)?,
        None => None,
    };
    if let Some(known) = earlier {
        let same = (known.supplier, known.price, &known.name, &known.category)
            == (Some(new.supplier), new.price, &new.name, &new.category);
        return Ok(if same { Ok((known, false)) } else { Err(keys::reused()) });
    }
    if let Some(no) = keys::refused(c, "goods", &new.key)? {
        return Ok(Err(no));
    }
    match suppliers::unfit(c, new.supplier)? {
        None => (),
        Some(no) if no.reason == "not-found" => return Ok(Err(no)),
        Some(no) => return keys::refuse(c, "goods", &new.key, no, now).map(Err),
    }
    let mut insert = c.prepare_cached(
        "INSERT INTO products (sku, name, category, price, supplier, key, listed)
         SELECT max(coalesce(max(sku) + 1, 0), ?1), ?2, ?3, ?4, ?5, ?6, 0 FROM products",
    )?;
    insert.execute(params![SUPPLIED_FROM, new.name, new.category, new.price, new.supplier, new.key])?;
    let sku = c.last_insert_rowid();
    c.prepare_cached("INSERT INTO stock VALUES (?1, 0, 0, 0, 0, 0, 0)")?.execute([sku])?;
    totals::moved(c, "goods", None, "unlisted")?;
    Ok(any(c, sku)?.map(|offer| (offer, true)).ok_or_else(|| Problem::missing("sku")))
}

pub(super) fn not_yours() -> Problem {
    Problem::conflict("not-yours", "these goods are another supplier's")
}

/// Shows goods to buyers, or hides them; what was ordered goes its way. Goods can be listed once a lot of them passed
/// its inspection. Saying it twice is saying it once.
pub(super) fn set_listed(c: &Connection, sku: i64, supplier: Option<i64>, listed: bool) -> Outcome<Offer> {
    let Some(offer) = any(c, sku)? else { return Ok(Err(Problem::missing("sku"))) };
    if offer.supplier != supplier {
        return Ok(Err(not_yours()));
    }
    if offer.listed == listed {
        return Ok(Ok(offer));
    }
    let mut passed = c.prepare_cached("SELECT EXISTS (SELECT 1 FROM lots WHERE sku = ?1 AND state = 'passed')")?;
    if listed && !passed.query_row([sku], |row| row.get::<_, bool>(0))? {
        return Ok(Err(Problem::conflict("not-inspected", "no lot of these goods passed its inspection yet")));
    }
    c.prepare_cached("UPDATE products SET listed = ?2 WHERE sku = ?1")?.execute(params![sku, listed])?;
    let (from, to) = if listed { ("unlisted", "listed") } else { ("listed", "unlisted") };
    totals::moved(c, "goods", Some(from), to)?;
    bump_version(c)?;
    Ok(Ok(Offer { listed, ..offer }))
}

const STOCK: &str = "SELECT sku, available, reserved, sold, held, scrapped, stocked FROM stock WHERE ";

pub(super) fn stock(c: &Connection, sku: i64) -> rusqlite::Result<Option<Stock>> {
    let mut select = c.prepare_cached(&format!("{STOCK} sku = ?1"))?;
    select.query_row([sku], stock_row).optional()
}

pub(super) fn stock_page(c: &Connection, after: i64, limit: i64) -> rusqlite::Result<Vec<Stock>> {
    let mut select = c.prepare_cached(&format!("{STOCK} sku > ?1 ORDER BY sku LIMIT ?2"))?;
    select.query_map([after, limit], stock_row)?.collect()
}

fn stock_row(row: &Row<'_>) -> rusqlite::Result<Stock> {
    Ok(Stock {
        sku: row.get(0)?,
        available: row.get(1)?,
        reserved: row.get(2)?,
        sold: row.get(3)?,
        held: row.get(4)?,
        scrapped: row.get(5)?,
        stocked: row.get(6)?,
    })
}
