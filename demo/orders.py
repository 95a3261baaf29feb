"""Tasks of order_fulfilment and its compensation: stock, card and parcel, each in one database transaction."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from typing import Any

from demo.app import app
from demo.database import transaction
from demo.files import existing, inside, write_whole
from workers import TerminalError

#: Where the shop keeps its tables, below the workspace.
SHOP = "shop.db"

#: Grams that one parcel may weigh, by carrier.
HEAVIEST_PARCEL = {"road": 30_000, "air": 5_000}


@app.task
def price_order(workspace: str, order_id: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the lines with titles and prices from the catalogue, the total in cents and the weight in grams.

    Lines of the same article are added up. Raises ``TerminalError`` when the order is empty, a quantity is not a
    positive whole number, or an article does not exist. Idempotent: it only reads.
    """
    quantities: dict[str, int] = {}
    for line in lines:
        quantity = line.get("quantity")
        if not isinstance(quantity, int) or quantity < 1:
            raise TerminalError(
                f"order {order_id}: quantity {quantity!r} of {line.get('sku')} is not a whole number > 0"
            )
        quantities[line["sku"]] = quantities.get(line["sku"], 0) + quantity
    if not quantities:
        raise TerminalError(f"order {order_id} has no lines")
    with transaction(existing(workspace, SHOP)) as shop:
        priced = [_priced(shop, order_id, sku, quantity) for sku, quantity in quantities.items()]
    return {
        "lines": priced,
        "total_cents": sum(line["price_cents"] * line["quantity"] for line in priced),
        "grams": sum(line["grams"] * line["quantity"] for line in priced),
    }


def _priced(shop: sqlite3.Connection, order_id: str, sku: str, quantity: int) -> dict[str, Any]:
    product = shop.execute("SELECT title, price_cents, grams FROM product WHERE sku = ?", (sku,)).fetchone()
    if product is None:
        raise TerminalError(f"order {order_id}: there is no article {sku!r} in the catalogue")
    return {"sku": sku, "quantity": quantity, **dict(product)}


def _check_open(shop: sqlite3.Connection, order_id: str) -> None:
    """Raise ``TerminalError`` for an order that was given up: a late task must not take what was given back."""
    closed = shop.execute("SELECT reason FROM closed_order WHERE order_id = ?", (order_id,)).fetchone()
    if closed:
        raise TerminalError(f"order {order_id} was given up: {closed['reason']}")


@app.task
def reserve_stock(workspace: str, order_id: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Take every line of the order from the shelves, all or none, and return what is held.

    Raises ``TerminalError`` when an article runs short or the order was given up. Idempotent: what this order already
    holds is not taken again.
    """
    with transaction(existing(workspace, SHOP)) as shop:
        _check_open(shop, order_id)
        for line in lines:
            _hold(shop, order_id, line["sku"], line["quantity"])
        held = shop.execute(
            "SELECT sku, quantity FROM reservation WHERE order_id = ? AND state = 'held' ORDER BY sku", (order_id,)
        ).fetchall()
    return {"held": [dict(row) for row in held]}


def _hold(shop: sqlite3.Connection, order_id: str, sku: str, quantity: int) -> None:
    known = shop.execute("SELECT 1 FROM reservation WHERE order_id = ? AND sku = ?", (order_id, sku)).fetchone()
    if known:
        return
    taken = shop.execute(
        "UPDATE product SET in_stock = in_stock - ? WHERE sku = ? AND in_stock >= ?", (quantity, sku, quantity)
    )
    if taken.rowcount == 0:
        raise TerminalError(f"order {order_id}: fewer than {quantity} of {sku} in stock")
    shop.execute("INSERT INTO reservation VALUES (?, ?, ?, 'held')", (order_id, sku, quantity))


@app.task
def charge_card(workspace: str, order_id: str, amount_cents: int, card: dict[str, str]) -> dict[str, Any]:
    """Charge the card and return the authorization; the result never holds more than the last four digits.

    Raises ``TerminalError`` for a number that fails the Luhn check, a declined card and an order that was given up,
    because the answer would be the same again; ``ConnectionError`` (retried by the task definition) when the processor
    does not answer.
    Idempotent: one payment for each order; a second run returns the first one's authorization.
    """
    digits = re.sub(r"[ -]", "", card["number"])
    if not passes_luhn(digits):
        raise TerminalError(f"order {order_id}: the card number is mistyped (its check digit is wrong)")
    last_four = digits[-4:]
    with transaction(existing(workspace, SHOP)) as shop:
        _check_open(shop, order_id)
        rule = shop.execute("SELECT answer, reason FROM card_rule WHERE last_four = ?", (last_four,)).fetchone()
        if rule and rule["answer"] == "unavailable":
            raise ConnectionError(f"order {order_id}: card ending {last_four}: {rule['reason']}")
        if rule:
            raise TerminalError(f"order {order_id}: card ending {last_four} was declined: {rule['reason']}")
        authorization = hashlib.sha256(f"{order_id}/{amount_cents}/{last_four}".encode()).hexdigest()[:12].upper()
        shop.execute(
            "INSERT INTO payment VALUES (?, ?, ?, ?, 'captured') ON CONFLICT (order_id) DO NOTHING",
            (order_id, authorization, amount_cents, f"****{last_four}"),
        )
        payment = shop.execute("SELECT * FROM payment WHERE order_id = ?", (order_id,)).fetchone()
    return dict(payment)


def passes_luhn(digits: str) -> bool:
    """Tell whether a card number of 12 to 19 digits ends in the check digit of ISO/IEC 7812 (Luhn)."""
    if not re.fullmatch(r"[0-9]{12,19}", digits):
        return False
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(int(digit) for digit in digits[::-2]) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


@app.task
def ship_order(
    workspace: str, order_id: str, lines: list[dict[str, Any]], carrier: str, address: str
) -> dict[str, Any]:
    """Hand the held goods to the carrier, write the packing slip and return the tracking number.

    Raises ``TerminalError`` for a parcel that the carrier refuses and an order that was given up. Idempotent: one
    shipment for each order; number and slip follow from the order, the slip is replaced whole.
    """
    grams = sum(line["grams"] * line["quantity"] for line in lines)
    if carrier not in HEAVIEST_PARCEL or grams > HEAVIEST_PARCEL[carrier]:
        raise TerminalError(f"order {order_id}: carrier {carrier!r} does not take a parcel of {grams} g")
    number = str(int(hashlib.sha256(order_id.encode()).hexdigest()[:10], 16)).zfill(13)[-13:]
    tracking = f"{carrier[0].upper()}{number}"
    with transaction(existing(workspace, SHOP)) as shop:
        _check_open(shop, order_id)
        shop.execute(
            "INSERT INTO shipment VALUES (?, ?, ?, ?) ON CONFLICT (order_id) DO NOTHING",
            (order_id, tracking, carrier, grams),
        )
        shop.execute("UPDATE reservation SET state = 'shipped' WHERE order_id = ? AND state = 'held'", (order_id,))
    slip = f"slips/{order_id}.txt"
    rows = "\n".join(f"{line['quantity']:>4} x {line['sku']:<8} {line['title']}" for line in lines)
    text = f"Order {order_id}\n{address}\n\n{rows}\n\n{grams} g by {carrier}, {tracking}\n"
    write_whole(inside(workspace, slip), text.encode())
    return {"tracking_number": tracking, "carrier": carrier, "grams": grams, "packing_slip": slip}


@app.task
def release_stock(workspace: str, order_id: str) -> dict[str, Any]:
    """Put everything that the order holds back on the shelves and return it; goods already shipped stay shipped.

    Idempotent: only what is still held goes back.
    """
    with transaction(existing(workspace, SHOP)) as shop:
        held = shop.execute(
            "UPDATE reservation SET state = 'released' WHERE order_id = ? AND state = 'held' RETURNING sku, quantity",
            (order_id,),
        ).fetchall()
        shop.executemany(
            "UPDATE product SET in_stock = in_stock + ? WHERE sku = ?", [(row["quantity"], row["sku"]) for row in held]
        )
        released = shop.execute(
            "SELECT sku, quantity FROM reservation WHERE order_id = ? AND state = 'released' ORDER BY sku", (order_id,)
        ).fetchall()
    return {"released": [dict(row) for row in released]}


@app.task
def refund_payment(workspace: str, order_id: str) -> dict[str, Any]:
    """Give the captured amount back and return it in cents, 0 when the card was never charged.

    Idempotent: a payment is refunded once; a second run returns the same amount.
    """
    with transaction(existing(workspace, SHOP)) as shop:
        shop.execute("UPDATE payment SET state = 'refunded' WHERE order_id = ? AND state = 'captured'", (order_id,))
        payment = shop.execute("SELECT amount_cents FROM payment WHERE order_id = ?", (order_id,)).fetchone()
    return {"refunded_cents": payment["amount_cents"] if payment else 0}


@app.task
def close_order(workspace: str, order_id: str, reason: str) -> dict[str, Any]:
    """Note why the order was given up and return the note; from then on nothing is held, charged or shipped for it.

    Comes first in the compensation: what is given back afterwards cannot be taken again by a task that runs late.
    Idempotent: the first reason stays.
    """
    with transaction(existing(workspace, SHOP)) as shop:
        shop.execute(
            "INSERT INTO closed_order VALUES (?, ?) ON CONFLICT (order_id) DO NOTHING", (order_id, reason or "unknown")
        )
        closed = shop.execute("SELECT * FROM closed_order WHERE order_id = ?", (order_id,)).fetchone()
    return dict(closed)
