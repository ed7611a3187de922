"""What later runs of a thread, and people, read of a run: its messages, closed so that a model can go on from them.

However a run ended, what the user said and what was done stay part of the conversation: forgetting a refund because
its run was cancelled afterwards would invite the model to make it again.
"""

from quarterdeck.runs.fold import CallState, RunState
from quarterdeck.runs.messages import Message, Text, ToolMessage

NOT_MADE = "This call was not made: the run ended before it."
NOT_AWAITED = "This call was sent and its answer was not awaited: the run ended. It may or may not have taken effect."
NOT_KNOWN = "Nobody knows whether this call took effect. Find out before you make it again."


def told(state: RunState) -> tuple[Message, ...]:
    """The run's messages, with an outcome for each call that a model asked for and that never got one.

    Providers refuse a conversation in which a call is left open. The words say what is known of its effect.
    """
    if not state.calls:
        return state.messages
    return (*state.messages, *(_closed(call) for call in state.calls))


def _closed(call: CallState) -> ToolMessage:
    if call.outcome is not None:
        return call.outcome
    if call.unknown is not None:
        words = NOT_KNOWN
    else:
        words = NOT_AWAITED if call.intent is not None else NOT_MADE
    return ToolMessage(call.call.id, call.call.tool, (Text(words),), is_error=True)
