"""The support desk's ledger: money that moves once, whoever asks and however often."""

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[3] / "examples" / "support-desk" / "shop.py"


@pytest.fixture(scope="module")
def shop() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_shop", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_shop"] = module
    spec.loader.exec_module(module)
    return module


def test_a_key_pays_once_however_many_ask_at_the_same_time(shop: ModuleType, tmp_path: Path):
    desk = shop.Shop("acme", "ann", tmp_path)
    with ThreadPoolExecutor(8) as pool:
        paid = list(pool.map(lambda _: desk.refund("key-1", 1042, 4950, "broken"), range(16)))
    assert {refund for refund, _ in paid} == {"R-1042-1"}
    assert [before for _, before in paid].count(False) == 1
    assert desk.order(1042).refunded == 4950


def test_no_more_is_paid_than_was_paid_for_an_order(shop: ModuleType, tmp_path: Path):
    desk = shop.Shop("acme", "ann", tmp_path)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(desk.refund, f"key-{at}", 1042, 1000 + at, "broken") for at in range(16)]
    paid = [future for future in asked if future.exception() is None]
    assert all(isinstance(future.exception(), shop.Refused) for future in asked if future not in paid)
    assert 0 < desk.order(1042).refunded <= 4950


REFUSED = {
    "more than is ever refunded": (1077, 2000_00, "Above $1,000.00 nothing is refunded"),
    "after the window": (1063, 10_00, "return window of order 1063 is closed"),
    "more than was paid": (1051, 50_00, "between $0.01 and $32.00"),
    "an order of nobody": (4711, 1, "no order 4711"),
}


@pytest.mark.parametrize(("number", "amount", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_shop_does_not_pay_it_says(shop: ModuleType, tmp_path: Path, number: int, amount: int, why: str):
    with pytest.raises(shop.Refused, match=why.replace("$", r"\$")):
        shop.Shop("acme", "ann", tmp_path).refund("key", number, amount, "because")


def test_customers_and_tenants_do_not_see_each_other(shop: ModuleType, tmp_path: Path):
    shop.Shop("acme", "ann", tmp_path).refund("key", 1042, 4950, "broken")
    assert shop.Shop("acme", "ben", tmp_path).order(1042).refunded == 0
    assert shop.Shop("globex", "ann", tmp_path).order(1042).refunded == 0


def test_a_folder_that_somebody_else_prepared_is_not_trusted(shop: ModuleType, tmp_path: Path):
    desk = shop.Shop("acme", "ann", tmp_path)
    [folder] = (tmp_path / "quarterdeck-support-desk").iterdir()
    folder.chmod(0o777)
    with pytest.raises(shop.Refused, match="belongs to somebody else"):
        shop.Shop("acme", "ann", tmp_path)
    folder.chmod(0o700)
    assert len(desk.orders()) == 5
