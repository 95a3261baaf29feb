"""order_fulfilment: stock, card and parcel, once however often a task runs, and undone to the last piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo import orders
from demo.database import transaction
from workers import TerminalError

GOOD = {"number": "4242 4242 4242 4242"}
DECLINED = {"number": "4000-0000-0000-9995"}
LAMPS = [{"sku": "LP-01", "quantity": 2}]


def stock(workspace: str, sku: str) -> int:
    with transaction(Path(workspace, orders.SHOP)) as shop:
        return int(shop.execute("SELECT in_stock FROM product WHERE sku = ?", (sku,)).fetchone()[0])


def priced(workspace: str, lines: list[dict[str, Any]], order_id: str = "A-1") -> list[dict[str, Any]]:
    return list(orders.price_order(workspace, order_id, lines)["lines"])


def test_an_order_is_priced_from_the_catalogue_and_equal_lines_are_added_up(workspace: str) -> None:
    price = orders.price_order(workspace, "A-1", [{"sku": "CB-C2", "quantity": 1}, {"sku": "CB-C2", "quantity": 2}])

    assert [(line["sku"], line["quantity"]) for line in price["lines"]] == [("CB-C2", 3)]
    assert (price["total_cents"], price["grams"]) == (3870, 180)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "has no lines"),
        ([{"sku": "CB-C2", "quantity": 0}], "quantity 0 of CB-C2"),
        ([{"sku": "CB-C2", "quantity": "2"}], "quantity '2' of CB-C2"),
        ([{"sku": "XX", "quantity": 1}], "no article 'XX'"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_for_good(
    workspace: str, lines: list[dict[str, Any]], reason: str
) -> None:
    with pytest.raises(TerminalError, match=reason):
        orders.price_order(workspace, "A-1", lines)


def test_reserving_twice_takes_the_goods_once(workspace: str) -> None:
    lines = priced(workspace, LAMPS)

    first = orders.reserve_stock(workspace, "A-1", lines)

    assert orders.reserve_stock(workspace, "A-1", lines) == first == {"held": LAMPS}
    assert stock(workspace, "LP-01") == 1


def test_when_one_article_runs_short_nothing_is_taken(workspace: str) -> None:
    lines = priced(workspace, [{"sku": "KB-75", "quantity": 1}, {"sku": "LP-01", "quantity": 4}])

    with pytest.raises(TerminalError, match="fewer than 4 of LP-01 in stock"):
        orders.reserve_stock(workspace, "A-1", lines)

    assert (stock(workspace, "KB-75"), stock(workspace, "LP-01")) == (40, 3)


def test_charging_twice_is_one_payment_and_shows_four_digits(workspace: str) -> None:
    first = orders.charge_card(workspace, "A-1", 5000, GOOD)

    assert orders.charge_card(workspace, "A-1", 5000, GOOD) == first
    assert (first["card"], first["state"], first["amount_cents"]) == ("****4242", "captured", 5000)


def test_a_declined_card_is_not_tried_again_and_leaves_no_payment(workspace: str) -> None:
    with pytest.raises(TerminalError, match="ending 9995 was declined: insufficient funds"):
        orders.charge_card(workspace, "A-1", 5000, DECLINED)

    assert orders.refund_payment(workspace, "A-1") == {"refunded_cents": 0}


def test_a_silent_processor_is_worth_another_try(workspace: str) -> None:
    with pytest.raises(ConnectionError, match="does not answer"):
        orders.charge_card(workspace, "A-1", 5000, {"number": "4000000000000119"})


@pytest.mark.parametrize("number", ["4242 4242 4242 4243", "4242", "", "42424242424242421111111", "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"])
def test_a_mistyped_card_number_is_refused_before_anyone_is_asked(workspace: str, number: str) -> None:
    with pytest.raises(TerminalError, match="mistyped"):
        orders.charge_card(workspace, "A-1", 5000, {"number": number})


def test_shipping_twice_is_one_parcel_with_one_number(workspace: str) -> None:
    lines = priced(workspace, LAMPS)
    orders.reserve_stock(workspace, "A-1", lines)

    first = orders.ship_order(workspace, "A-1", lines, "road", "Kanalweg 4")

    assert orders.ship_order(workspace, "A-1", lines, "road", "Kanalweg 4") == first
    assert "2 x LP-01" in Path(workspace, first["packing_slip"]).read_text()


def test_a_parcel_that_is_too_heavy_for_the_aeroplane_stays(workspace: str) -> None:
    lines = priced(workspace, [{"sku": "LP-01", "quantity": 3}])

    with pytest.raises(TerminalError, match="does not take a parcel of 7200 g"):
        orders.ship_order(workspace, "A-1", lines, "air", "Kanalweg 4")


def test_compensation_gives_back_goods_and_money_once(workspace: str) -> None:
    lines = priced(workspace, LAMPS)
    orders.reserve_stock(workspace, "A-1", lines)
    orders.charge_card(workspace, "A-1", 17980, GOOD)

    for _ in range(2):
        assert orders.release_stock(workspace, "A-1") == {"released": LAMPS}
        assert orders.refund_payment(workspace, "A-1") == {"refunded_cents": 17980}

    assert stock(workspace, "LP-01") == 3


def test_goods_on_the_road_are_not_put_back_on_the_shelf(workspace: str) -> None:
    lines = priced(workspace, LAMPS)
    orders.reserve_stock(workspace, "A-1", lines)
    orders.ship_order(workspace, "A-1", lines, "road", "Kanalweg 4")

    assert orders.release_stock(workspace, "A-1") == {"released": []}
    assert stock(workspace, "LP-01") == 1


def test_a_task_that_runs_late_takes_nothing_from_an_order_that_was_given_up(workspace: str) -> None:
    lines = priced(workspace, LAMPS)
    orders.close_order(workspace, "A-1", "the customer changed her mind")

    late: list[Callable[[], object]] = [
        lambda: orders.reserve_stock(workspace, "A-1", lines),
        lambda: orders.charge_card(workspace, "A-1", 17980, GOOD),
        lambda: orders.ship_order(workspace, "A-1", lines, "road", "Kanalweg 4"),
    ]
    for task in late:
        with pytest.raises(TerminalError, match="A-1 was given up: the customer changed her mind"):
            task()

    assert stock(workspace, "LP-01") == 3


def test_the_first_reason_for_closing_an_order_stays(workspace: str) -> None:
    orders.close_order(workspace, "A-1", "card declined")

    assert orders.close_order(workspace, "A-1", "something else")["reason"] == "card declined"
