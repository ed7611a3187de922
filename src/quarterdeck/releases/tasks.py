"""What an agent that is called as a tool is told."""

from quarterdeck.core.json import JsonObject

TASK: JsonObject = {
    "type": "object",
    "properties": {
        "task": {"type": "string", "minLength": 1, "description": "What it shall do, with all that it has to know."}
    },
    "required": ["task"],
    "additionalProperties": False,
}
"""The schema of its one argument. It sees nothing of the conversation but this."""
