"""Walks through the shop, without a clock."""

from random import Random

from infra.simulator.catalogue import TENANTS, Catalogue, make_catalogue
from infra.simulator.values import amount_minor, order_value
from infra.simulator.visits import Basket, Step, walk
from tests.oracle.records import minor_units

CATALOGUE: Catalogue = make_catalogue(Random(1), TENANTS, products=50, shoppers=40)


def walks(count: int, *, signed_in: bool = False) -> list[list[Step]]:
    rng = Random(2)
    shoppers = [CATALOGUE.shopper(rng, TENANTS[n % len(TENANTS)].tenant_id) for n in range(count)]
    return [list(walk(CATALOGUE, rng, shopper, signed_in=signed_in)) for shopper in shoppers]


def test_no_pause_reaches_half_an_hour() -> None:
    pauses = [step.pause_ms for visit in walks(3_000) for step in visit]
    assert 10 * 60_000 < max(pauses) < 30 * 60_000


def test_a_basket_is_bought_by_someone_signed_in_with_a_purchase_for_each_product() -> None:
    buying = [visit for visit in walks(2_000) if visit[-1].basket]
    for visit in buying:
        bought = [step for step in visit if step.kind == "purchase"]
        basket = visit[-1].basket
        assert basket is not None and all(step.user_id for step in bought)
        assert [step.properties["productId"] for step in bought] == [p.product_id for p, _ in basket.lines]
        assert {step.properties["orderId"] for step in bought} == {basket.transaction_id}
    assert any(len([step for step in visit if step.kind == "purchase"]) > 1 for visit in buying)


def test_who_is_signed_in_is_so_from_the_first_step() -> None:
    assert all(step.user_id for visit in walks(100, signed_in=True) for step in visit)


def test_amounts_on_the_wire_are_the_minor_units_of_every_currency() -> None:
    rng = Random(3)
    for number in range(2_000):
        shopper = CATALOGUE.shopper(rng, TENANTS[number % len(TENANTS)].tenant_id)
        basket = Basket("t", tuple((CATALOGUE.product(rng), rng.randrange(1, 20)) for _ in range(3)))
        value = order_value(2, shopper, basket, "completed", 0)
        lines = sum(minor_units(item["price"], shopper.currency) * item["quantity"] for item in value["orderItems"])
        amount = amount_minor(basket, shopper.currency)
        assert minor_units(value["totalAmount"], shopper.currency) == lines == amount


def test_a_tenth_of_the_products_gets_nearly_half_of_the_interest() -> None:
    rng = Random(4)
    top = {product.product_id for product in CATALOGUE.products[:5]}
    picked = [CATALOGUE.product(rng).product_id for _ in range(10_000)]
    assert 4_000 < sum(product_id in top for product_id in picked) < 5_000
