"""What the console was written against is what the API says now."""

from scripts import shapes


def test_the_consoles_types_are_those_of_the_api() -> None:
    assert shapes.TARGET.read_text(encoding="utf-8") == shapes.written(), "run `python -m scripts.shapes`"


def test_every_answer_that_the_console_wants_comes_with_all_that_it_refers_to() -> None:
    part = shapes.narrowed(shapes.described())
    schemas = part["components"]
    assert isinstance(schemas, dict)
    assert set(shapes.referred(schemas)) <= set(schemas["schemas"])
    assert set(shapes.WANTED) <= set(schemas["schemas"])
