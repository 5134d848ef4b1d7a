//! Figures by state, kept as counters beside the rows, so that reading them costs nothing however many rows there are.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::shop::metrics::Page;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::shop) struct Totals {
    pub(super) states: Vec<Total>,
    /// Not answered, not decided in time, as of now.
    overdue_complaints: i64,
    overdue_suppliers: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Total {
    pub(super) what: String,
    pub(super) state: String,
    pub(super) reached: i64,
    pub(super) now: i64,
}

/// One row came to a state, out of another or newly made.
pub(super) fn moved(c: &Connection, what: &str, from: Option<&str>, to: &str) -> rusqlite::Result<()> {
    c.prepare_cached("UPDATE totals SET reached = reached + 1, now = now + 1 WHERE what = ?1 AND state = ?2")?
        .execute(params![what, to])?;
    if let Some(from) = from {
        c.prepare_cached("UPDATE totals SET now = now - 1 WHERE what = ?1 AND state = ?2")?
            .execute(params![what, from])?;
    }
    Ok(())
}

pub(super) fn totals(c: &Connection, now: i64) -> rusqlite::Result<Totals> {
    let mut select = c.prepare_cached("SELECT what, state, reached, now FROM totals ORDER BY rowid")?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Total { what: row.get(0)?, state: row.get(1)?, reached: row.get(2)?, now: row.get(3)? })
    };
    let states = select.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
    let overdue = |select: &str| c.prepare_cached(select)?.query_row([now], |row| row.get(0));
    Ok(Totals {
        states,
        overdue_complaints: overdue("SELECT count(*) FROM claims WHERE state = 'opened' AND answer_by_ms < ?1")?,
        overdue_suppliers: overdue("SELECT count(*) FROM suppliers WHERE state = 'applied' AND decide_by_ms < ?1")?,
    })
}

impl Totals {
    fn of(&self, what: &str, state: &str) -> (i64, i64) {
        let found = self.states.iter().find(|total| total.what == what && total.state == state);
        found.map_or((0, 0), |total| (total.reached, total.now))
    }

    /// `shop_WHAT_total` and `shop_WHAT`, by state; and under names of their own what is watched most.
    pub(in crate::shop) fn render(&self, page: &mut Page) {
        for whole in self.states.chunk_by(|a, b| a.what == b.what).filter(|whole| whole[0].what != "late") {
            let what = &whole[0].what;
            let (counter, gauge) = (format!("shop_{what}_total"), format!("shop_{what}"));
            page.head(&counter, "counter", &format!("How many {what} ever came to a state."));
            for total in whole {
                page.line(&counter, &format!("state=\"{}\"", total.state), total.reached);
            }
            page.head(&gauge, "gauge", &format!("How many {what} are in a state now."));
            for total in whole {
                page.line(&gauge, &format!("state=\"{}\"", total.state), total.now);
            }
        }
        let reached = |what, state| self.of(what, state).0;
        let singles = [
            ("shop_delivered_total", "counter", "Orders that were delivered.", reached("orders", "delivered")),
            ("shop_returned_total", "counter", "Orders that were returned.", reached("orders", "returned")),
            ("shop_complaints_open", "gauge", "Complaints without an answer.", self.of("complaints", "opened").1),
            ("shop_complaints_overdue", "gauge", "Those that should have one by now.", self.overdue_complaints),
            ("shop_complaints_late_total", "counter", "Complaints answered too late.", reached("late", "complaints")),
            ("shop_suppliers_overdue", "gauge", "Applications to be decided by now.", self.overdue_suppliers),
            ("shop_suppliers_late_total", "counter", "Applications decided too late.", reached("late", "suppliers")),
        ];
        for (name, kind, help, value) in singles {
            page.single(name, kind, help, value);
        }
    }
}
