-- The shop of order_fulfilment: what is on the shelves, and how the card processor answers which test card.
CREATE TABLE product (
    sku TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents > 0),
    grams INTEGER NOT NULL CHECK (grams > 0),
    in_stock INTEGER NOT NULL CHECK (in_stock >= 0)
);
CREATE TABLE reservation (
    order_id TEXT NOT NULL,
    sku TEXT NOT NULL REFERENCES product (sku),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    state TEXT NOT NULL CHECK (state IN ('held', 'shipped', 'released')),
    PRIMARY KEY (order_id, sku)
);
CREATE TABLE card_rule (
    last_four TEXT PRIMARY KEY,
    answer TEXT NOT NULL CHECK (answer IN ('declined', 'unavailable')),
    reason TEXT NOT NULL
);
CREATE TABLE payment (
    order_id TEXT PRIMARY KEY,
    authorization TEXT NOT NULL,
    amount_cents INTEGER NOT NULL,
    card TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('captured', 'refunded'))
);
CREATE TABLE shipment (
    order_id TEXT PRIMARY KEY,
    tracking_number TEXT NOT NULL,
    carrier TEXT NOT NULL,
    grams INTEGER NOT NULL
);
CREATE TABLE closed_order (
    order_id TEXT PRIMARY KEY,
    reason TEXT NOT NULL
);
INSERT INTO product VALUES
    ('KB-75', 'Mechanical keyboard, 75 %', 12900, 980, 40),
    ('MS-02', 'Trackball', 6450, 310, 25),
    ('CB-C2', 'USB-C cable, 2 m', 1290, 60, 200),
    ('LP-01', 'Desk lamp', 8990, 2400, 3);
INSERT INTO card_rule VALUES
    ('0002', 'declined', 'the issuer gives no reason'),
    ('9995', 'declined', 'insufficient funds'),
    ('0069', 'declined', 'the card has expired'),
    ('0119', 'unavailable', 'the processor does not answer');
