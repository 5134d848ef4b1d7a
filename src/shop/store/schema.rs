//! The store's tables. What must never happen is refused by the tables themselves.

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS products (
    sku INTEGER PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL,
    price INTEGER NOT NULL CHECK (price > 0)
) STRICT;

CREATE TABLE IF NOT EXISTS stock (
    sku INTEGER PRIMARY KEY REFERENCES products (sku),
    available INTEGER NOT NULL CHECK (available >= 0), reserved INTEGER NOT NULL CHECK (reserved >= 0),
    sold INTEGER NOT NULL CHECK (sold >= 0), stocked INTEGER NOT NULL,
    CHECK (available + reserved + sold = stocked)
) STRICT;

CREATE TABLE IF NOT EXISTS restocks (
    key TEXT PRIMARY KEY, sku INTEGER NOT NULL, added INTEGER NOT NULL, at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- due_ms: when the order moves on by itself; null while it waits for somebody.
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
    sku INTEGER NOT NULL REFERENCES products (sku), quantity INTEGER NOT NULL CHECK (quantity > 0),
    amount INTEGER NOT NULL CHECK (amount > 0), buyer TEXT NOT NULL, mark TEXT, state TEXT NOT NULL
        CHECK (state IN ('placed', 'paid', 'picked', 'shipped', 'delivered', 'returned', 'cancelled')),
    reason TEXT, due_ms INTEGER, placed_ms INTEGER NOT NULL, paid_ms INTEGER, picked_ms INTEGER, shipped_ms INTEGER,
    delivered_ms INTEGER, closed_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS orders_due ON orders (state, due_ms) WHERE due_ms IS NOT NULL;

-- A key ends one way: what was refused once stays refused, however late a repetition arrives.
CREATE TABLE IF NOT EXISTS refusals (
    key TEXT PRIMARY KEY, reason TEXT NOT NULL, error TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refusals_age ON refusals (at_ms);

CREATE TABLE IF NOT EXISTS payments (
    order_id INTEGER PRIMARY KEY REFERENCES orders (id), key TEXT NOT NULL UNIQUE, attempt INTEGER NOT NULL,
    amount INTEGER NOT NULL, state TEXT NOT NULL
        CHECK (state IN ('pending', 'voided', 'captured', 'refund-due', 'refunded')),
    changed_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS payments_unsettled ON payments (changed_ms) WHERE state IN ('pending', 'refund-due');

CREATE TABLE IF NOT EXISTS carts (
    id TEXT NOT NULL, sku INTEGER NOT NULL, quantity INTEGER NOT NULL CHECK (quantity > 0),
    changed_ms INTEGER NOT NULL, PRIMARY KEY (id, sku)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS carts_age ON carts (changed_ms);

-- How many orders ever came to a state: counters that never fall.
CREATE TABLE IF NOT EXISTS totals (state TEXT PRIMARY KEY, reached INTEGER NOT NULL, now INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO totals VALUES ('placed', 0, 0), ('paid', 0, 0), ('picked', 0, 0), ('shipped', 0, 0),
    ('delivered', 0, 0), ('returned', 0, 0), ('cancelled', 0, 0);
";
