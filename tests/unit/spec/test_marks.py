"""What is suggested as destinations and payload."""

import pytest

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.spec.marks import Marks, suggest


def arguments(**properties: Json) -> JsonObject:
    return {"type": "object", "properties": properties}


TEXT: dict[str, Json] = {"type": "string"}


@pytest.mark.parametrize(
    "name",
    ["to", "cc", "recipient", "recipients", "iban", "accountId", "account_id", "userEmail", "webhook_url", "file_path",
     "channel", "participants", "new_password", "phone_number", "street", "message_id", "order_ids"],
)  # fmt: skip
def test_names_that_say_to_whom_or_where_are_destinations(name: str) -> None:
    assert suggest(arguments(**{name: TEXT})) == Marks(destinations=(name,))


@pytest.mark.parametrize(
    "name", ["subject", "body", "email_body", "messageText", "notes", "attachments", "description"]
)
def test_names_that_say_what_is_carried_are_payload(name: str) -> None:
    assert suggest(arguments(**{name: TEXT})) == Marks(payload=(name,))


def test_amounts_switches_and_choices_are_neither() -> None:
    found = suggest(
        arguments(
            amount={"type": "number"},
            recurring={"type": "boolean"},
            channel={"type": "string", "enum": ["mail", "post"]},
            start={"type": "string"},
        )
    )
    assert found == Marks()


def test_a_number_is_a_destination_where_it_is_an_id() -> None:
    assert suggest(arguments(id={"type": "integer"}, limit={"type": "integer"})) == Marks(("id",))


def test_formats_and_descriptions_tell_too() -> None:
    found = suggest(
        arguments(
            where={"type": "string", "format": "uri"},
            whom={"type": "string", "description": "IBAN of the one who is paid"},
            how={"type": "string", "description": "In which tone."},
        )
    )
    assert found == Marks(("where", "whom"))


def test_arguments_inside_lists_and_objects_are_found_by_their_path() -> None:
    payment: dict[str, Json] = {
        "type": "object",
        "properties": {"account": TEXT, "note": TEXT, "amount": {"type": "number"}},
    }
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "items": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Payment"}}, {"type": "null"}]},
            "reply": {"type": "object", "properties": {"to": {"type": "array", "items": TEXT}}},
        },
        "$defs": {"Payment": payment},
    }
    assert suggest(schema) == Marks(("items[].account", "reply.to"), ("items[].note",))


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/Node"}},
        "$defs": {"Node": {"type": "object", "properties": {"to": TEXT, "next": {"$ref": "#/$defs/Node"}}}},
    }
    assert "next.to" in suggest(schema).destinations


def test_a_suggestion_reads_as_it_is_written_in_agent_yaml() -> None:
    assert suggest(arguments(to=TEXT, body=TEXT)).words == "destinations: [to], payload: [body]"
