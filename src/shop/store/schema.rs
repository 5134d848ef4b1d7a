//! The store's tables. What must never happen is refused by the tables themselves.

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Whoever wants to sell: admitted once for each licence.
CREATE TABLE IF NOT EXISTS suppliers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, licence TEXT NOT NULL,
    score INTEGER NOT NULL, mark TEXT, state TEXT NOT NULL CHECK (state IN ('applied', 'admitted', 'refused')),
    reason TEXT, due_ms INTEGER, decide_by_ms INTEGER NOT NULL, applied_ms INTEGER NOT NULL, decided_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS suppliers_due ON suppliers (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS suppliers_late ON suppliers (decide_by_ms) WHERE state = 'applied';
CREATE UNIQUE INDEX IF NOT EXISTS suppliers_licence ON suppliers (licence) WHERE state = 'admitted';

-- supplier: null for the house's own goods.
CREATE TABLE IF NOT EXISTS products (
    sku INTEGER PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL,
    price INTEGER NOT NULL CHECK (price > 0), supplier INTEGER REFERENCES suppliers (id), key TEXT UNIQUE,
    listed INTEGER NOT NULL DEFAULT 1 CHECK (listed IN (0, 1))
) STRICT;

-- stocked: what passed inspection, ever. held: back from a buyer whose refund is due.
CREATE TABLE IF NOT EXISTS stock (
    sku INTEGER PRIMARY KEY REFERENCES products (sku),
    available INTEGER NOT NULL CHECK (available >= 0), reserved INTEGER NOT NULL CHECK (reserved >= 0),
    sold INTEGER NOT NULL CHECK (sold >= 0), held INTEGER NOT NULL CHECK (held >= 0),
    scrapped INTEGER NOT NULL CHECK (scrapped >= 0), stocked INTEGER NOT NULL,
    CHECK (available + reserved + sold + held + scrapped = stocked)
) STRICT;

-- Every piece came in a lot. remaining: pieces of it that are in the house and not picked for an order.
CREATE TABLE IF NOT EXISTS lots (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, sku INTEGER NOT NULL REFERENCES products (sku),
    origin TEXT NOT NULL CHECK (origin IN ('opening', 'house', 'supplier')),
    supplier INTEGER REFERENCES suppliers (id), quantity INTEGER NOT NULL CHECK (quantity >= 0),
    defective INTEGER NOT NULL CHECK (defective BETWEEN 0 AND quantity),
    remaining INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND quantity),
    state TEXT NOT NULL CHECK (state IN ('pending', 'passed', 'failed')),
    due_ms INTEGER, received_ms INTEGER NOT NULL, inspected_ms INTEGER,
    CHECK ((origin = 'supplier') = (supplier IS NOT NULL)), CHECK (state = 'passed' OR remaining = 0)
) STRICT;
CREATE INDEX IF NOT EXISTS lots_sku ON lots (sku, id);
CREATE INDEX IF NOT EXISTS lots_open ON lots (sku, id) WHERE remaining > 0;
CREATE INDEX IF NOT EXISTS lots_due ON lots (due_ms) WHERE due_ms IS NOT NULL;

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

-- What was picked for an order, out of which lot. back: it is in that lot again.
CREATE TABLE IF NOT EXISTS pieces (
    order_id INTEGER NOT NULL REFERENCES orders (id), lot INTEGER NOT NULL REFERENCES lots (id),
    quantity INTEGER NOT NULL CHECK (quantity > 0), back INTEGER NOT NULL DEFAULT 0 CHECK (back IN (0, 1)),
    PRIMARY KEY (order_id, lot)
) STRICT, WITHOUT ROWID;

-- A key ends one way: what was refused once stays refused, however late a repetition arrives.
CREATE TABLE IF NOT EXISTS refusals (
    what TEXT NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL, error TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (what, key)
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

-- What a buyer wants after delivery. closed_ms: null while somebody still has to do something.
CREATE TABLE IF NOT EXISTS claims (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL,
    order_id INTEGER NOT NULL REFERENCES orders (id), cause TEXT NOT NULL, says TEXT NOT NULL,
    state TEXT NOT NULL CHECK (CASE kind
        WHEN 'return' THEN state IN ('requested', 'approved', 'refused', 'received', 'refunded')
        WHEN 'repair' THEN state IN ('received', 'repaired', 'sent-back')
        WHEN 'complaint' THEN state IN ('opened', 'answered', 'closed') END),
    outcome TEXT, due_ms INTEGER, answer_by_ms INTEGER, opened_ms INTEGER NOT NULL, moved_ms INTEGER NOT NULL,
    closed_ms INTEGER, UNIQUE (kind, key)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS claims_open ON claims (order_id, kind) WHERE closed_ms IS NULL;
CREATE INDEX IF NOT EXISTS claims_due ON claims (kind, state, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS claims_late ON claims (answer_by_ms) WHERE state = 'opened';

-- One for an order, so that its place in a list never changes.
CREATE TABLE IF NOT EXISTS reviews (
    order_id INTEGER PRIMARY KEY REFERENCES orders (id), sku INTEGER NOT NULL REFERENCES products (sku),
    stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5), says TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS reviews_sku ON reviews (sku, order_id);
CREATE TABLE IF NOT EXISTS ratings (
    sku INTEGER PRIMARY KEY REFERENCES products (sku), count INTEGER NOT NULL, stars INTEGER NOT NULL
) STRICT;

-- How many ever came to a state (counters that never fall), and how many are in it.
CREATE TABLE IF NOT EXISTS totals (
    what TEXT NOT NULL, state TEXT NOT NULL, reached INTEGER NOT NULL DEFAULT 0, now INTEGER NOT NULL DEFAULT 0,
    UNIQUE (what, state)
) STRICT;
INSERT OR IGNORE INTO totals (what, state) VALUES
    ('orders', 'placed'), ('orders', 'paid'), ('orders', 'picked'), ('orders', 'shipped'), ('orders', 'delivered'),
    ('orders', 'returned'), ('orders', 'cancelled'),
    ('goods', 'listed'), ('goods', 'unlisted'), ('suppliers', 'applied'), ('suppliers', 'admitted'),
    ('suppliers', 'refused'), ('lots', 'pending'), ('lots', 'passed'), ('lots', 'failed'),
    ('returns', 'requested'), ('returns', 'approved'), ('returns', 'refused'), ('returns', 'received'),
    ('returns', 'refunded'), ('repairs', 'received'), ('repairs', 'repaired'), ('repairs', 'sent-back'),
    ('complaints', 'opened'), ('complaints', 'answered'), ('complaints', 'closed'), ('reviews', 'posted'),
    ('late', 'complaints'), ('late', 'suppliers');
";
