"""The wires of OpenAI (two of them), Anthropic and Gemini, from the provider's side."""

import json
from typing import Any, ClassVar

from aiohttp import web

from tests.fakes.turns import Call, Fails, Says


class Wire:
    """One vendor's form of everything above."""

    def __init__(self, request: web.Request, body: dict[str, Any]) -> None:
        self.asked_model: str = body.get("model", "")

    @staticmethod
    def is_streamed(request: web.Request, body: dict[str, Any]) -> bool:
        return bool(body.get("stream"))

    def whole(self, says: Says) -> dict[str, Any]:
        raise NotImplementedError

    def events(self, says: Says) -> list[bytes]:
        raise NotImplementedError

    def before_the_end(self, events: list[bytes]) -> int:
        """How many events a stream has that ends before the model does."""
        return 1

    def error(self, fails: Fails) -> dict[str, Any]:
        return {"error": {"message": fails.message, "type": fails.type, "code": fails.code}}


def _sse(data: object, event: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


def _pieces(text: str) -> list[str]:
    return [text[start : start + 7] for start in range(0, len(text), 7)]


class Chat(Wire):
    FINISH: ClassVar = {
        "stop": "stop",
        "calls": "tool_calls",
        "length": "length",
        "filtered": "content_filter",
        "refusal": "stop",
    }

    def whole(self, says: Says) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": says.text or None}
        if says.finish == "refusal":
            message |= {"content": None, "refusal": says.text}
        if says.thinking:
            message["reasoning_content"] = says.thinking
        if says.calls:
            message["tool_calls"] = [self._call(call) for call in says.calls]
        choice = {"index": 0, "message": message, "finish_reason": self.FINISH[says.ending], "logprobs": None}
        return self._head(says, "chat.completion") | {"choices": [choice], "usage": self._usage(says)}

    def events(self, says: Says) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": piece} for piece in _pieces(says.thinking)]
        kind = "refusal" if says.finish == "refusal" else "content"
        deltas += [{kind: piece} for piece in _pieces(says.text)]
        for index, call in enumerate(says.calls):
            deltas.append({"tool_calls": [{"index": index, **self._call(call, "")}]})
            deltas += [
                {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in _pieces(call.text)
            ]
        head = self._head(says, "chat.completion.chunk")
        events = [_sse(head | {"choices": [{"index": 0, "delta": d, "finish_reason": None}]}) for d in deltas]
        last = {"index": 0, "delta": {}, "finish_reason": self.FINISH[says.ending]}
        return [
            *events,
            _sse(head | {"choices": [last]}),
            _sse(head | {"choices": [], "usage": self._usage(says)}),
            _sse("[DONE]"),
        ]

    def before_the_end(self, events: list[bytes]) -> int:
        return len(events) - 3

    def _head(self, says: Says, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1760000000, "model": says.model or self.asked_model}

    @staticmethod
    def _call(call: Call, arguments: str | None = None) -> dict[str, Any]:
        function = {"name": call.tool, "arguments": call.text if arguments is None else arguments}
        return {"id": call.id, "type": "function", "function": function}

    @staticmethod
    def _usage(says: Says) -> dict[str, Any]:
        return {
            "prompt_tokens": says.input,
            "completion_tokens": says.output,
            "total_tokens": says.input + says.output,
            "prompt_tokens_details": {"cached_tokens": says.cached},
            "completion_tokens_details": {"reasoning_tokens": says.reasoning},
        }


class Responses(Wire):
    def whole(self, says: Says) -> dict[str, Any]:
        status = {"length": "incomplete", "filtered": "incomplete"}.get(says.ending, "completed")
        reason = {"length": "max_output_tokens", "filtered": "content_filter"}.get(says.ending)
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1760000000,
            "model": says.model or self.asked_model,
            "status": status,
            "incomplete_details": {"reason": reason} if reason else None,
            "error": None,
            "output": self._items(says),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": says.input,
                "output_tokens": says.output,
                "total_tokens": says.input + says.output,
                "input_tokens_details": {"cached_tokens": says.cached},
                "output_tokens_details": {"reasoning_tokens": says.reasoning},
            },
        }

    def _items(self, says: Says) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        if says.thinking:
            summary = [{"type": "summary_text", "text": says.thinking}]
            items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": says.signature})
        if says.text:
            kind, key = ("refusal", "refusal") if says.finish == "refusal" else ("output_text", "text")
            content = [{"type": kind, key: says.text, "annotations": []}]
            items.append(
                {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
            )
        for index, call in enumerate(says.calls):
            items.append(
                {
                    "type": "function_call",
                    "id": f"fc_{index}",
                    "call_id": call.id,
                    "name": call.tool,
                    "arguments": call.text,
                    "status": "completed",
                }
            )
        return items

    def events(self, says: Says) -> list[bytes]:
        whole = self.whole(says)
        begun = whole | {"status": "in_progress", "output": [], "usage": None}
        events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
        for index, item in enumerate(whole["output"]):
            events += self._item_events(index, item)
        kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        events.append({"type": kind, "response": whole})
        return [_sse({**event, "sequence_number": number}, event["type"]) for number, event in enumerate(events)]

    def before_the_end(self, events: list[bytes]) -> int:
        return len(events) - 1

    @staticmethod
    def _item_events(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
        place = {"output_index": index, "item_id": item["id"]}
        empty = {"message": {"content": []}, "reasoning": {"summary": []}, "function_call": {"arguments": ""}}
        added = {**item, **empty[item["type"]], "status": "in_progress"}
        events: list[dict[str, Any]] = [{"type": "response.output_item.added", "output_index": index, "item": added}]
        if item["type"] == "message":
            part = item["content"][0]
            kind, key = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
            spot = {**place, "content_index": 0}
            events.append({"type": "response.content_part.added", **spot, "part": {**part, key: ""}})
            events += [
                {"type": f"response.{kind}.delta", **spot, "delta": piece, "logprobs": []}
                for piece in _pieces(part[key])
            ]
            events.append({"type": f"response.{kind}.done", **spot, key: part[key], "logprobs": []})
            events.append({"type": "response.content_part.done", **spot, "part": part})
        elif item["type"] == "reasoning":
            spot = {**place, "summary_index": 0}
            part = item["summary"][0]
            events.append({"type": "response.reasoning_summary_part.added", **spot, "part": {**part, "text": ""}})
            events += [
                {"type": "response.reasoning_summary_text.delta", **spot, "delta": piece}
                for piece in _pieces(part["text"])
            ]
            events.append({"type": "response.reasoning_summary_text.done", **spot, "text": part["text"]})
            events.append({"type": "response.reasoning_summary_part.done", **spot, "part": part})
        else:
            kind = "response.function_call_arguments"
            events += [{"type": f"{kind}.delta", **place, "delta": piece} for piece in _pieces(item["arguments"])]
            events.append({"type": f"{kind}.done", **place, "name": item["name"], "arguments": item["arguments"]})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        return events


class Messages(Wire):
    STOP: ClassVar = {
        "stop": "end_turn",
        "calls": "tool_use",
        "length": "max_tokens",
        "filtered": "refusal",
        "refusal": "refusal",
    }

    def whole(self, says: Says) -> dict[str, Any]:
        return self._head(says) | {
            "content": self._blocks(says),
            "stop_reason": self.STOP[says.ending],
            "usage": self._usage(says),
        }

    def _head(self, says: Says) -> dict[str, Any]:
        model = says.model or self.asked_model
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_sequence": None}

    @staticmethod
    def _usage(says: Says) -> dict[str, Any]:
        # Anthropic counts cached tokens apart; `input` is the sum of all, as everywhere in these fakes.
        return {
            "input_tokens": says.input - says.cached - says.written,
            "cache_read_input_tokens": says.cached,
            "cache_creation_input_tokens": says.written,
            "output_tokens": says.output,
        }

    @staticmethod
    def _blocks(says: Says) -> list[dict[str, Any]]:
        blocks: list[dict[str, Any]] = []
        if says.thinking:
            blocks.append({"type": "thinking", "thinking": says.thinking, "signature": says.signature})
        if says.text:
            blocks.append({"type": "text", "text": says.text})
        for call in says.calls:
            arguments = call.arguments if not isinstance(call.arguments, str) else {}
            blocks.append({"type": "tool_use", "id": call.id, "name": call.tool, "input": arguments})
        return blocks

    def events(self, says: Says) -> list[bytes]:
        start = self._head(says) | {
            "content": [],
            "stop_reason": None,
            "usage": self._usage(says) | {"output_tokens": 1},
        }
        events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
        calls = {call.id: call for call in says.calls}
        for index, block in enumerate(self._blocks(says)):
            kind = block["type"]
            if kind == "text":
                empty, deltas = (
                    {**block, "text": ""},
                    [{"type": "text_delta", "text": p} for p in _pieces(block["text"])],
                )
            elif kind == "thinking":
                empty = {**block, "thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": p} for p in _pieces(block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            else:
                text = calls[block["id"]].text
                empty = {**block, "input": {}}
                deltas = [{"type": "input_json_delta", "partial_json": p} for p in _pieces(text)]
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        delta = {"stop_reason": self.STOP[says.ending], "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": says.output}})
        events.append({"type": "message_stop"})
        return [_sse(event, event["type"]) for event in events]

    def before_the_end(self, events: list[bytes]) -> int:
        return len(events) - 2

    def error(self, fails: Fails) -> dict[str, Any]:
        return {"type": "error", "error": {"type": fails.type, "message": fails.message}}


class Gemini(Wire):
    FINISH: ClassVar = {
        "stop": "STOP",
        "calls": "STOP",
        "length": "MAX_TOKENS",
        "filtered": "SAFETY",
        "refusal": "SAFETY",
    }

    def __init__(self, request: web.Request, body: dict[str, Any]) -> None:
        self.asked_model = request.match_info["call"].partition(":")[0]

    @staticmethod
    def is_streamed(request: web.Request, body: dict[str, Any]) -> bool:
        return request.match_info["call"].endswith(":streamGenerateContent")

    def whole(self, says: Says) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        if says.thinking:
            parts.append({"text": says.thinking, "thought": True})
        if says.text:
            parts.append({"text": says.text})
        for call in says.calls:
            called = {"name": call.tool, "args": call.arguments, "id": call.id}
            parts.append({"functionCall": called, "thoughtSignature": "c2lnLWFiYw=="})
        return self._chunk(says, parts, self.FINISH[says.ending])

    def _chunk(self, says: Says, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
        if finish:
            candidate["finishReason"] = finish
        return {
            "responseId": "gem-1",
            "modelVersion": says.model or self.asked_model,
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": says.input,
                "candidatesTokenCount": says.output - says.reasoning,
                "thoughtsTokenCount": says.reasoning,
                "cachedContentTokenCount": says.cached,
                "totalTokenCount": says.input + says.output,
            },
        }

    def events(self, says: Says) -> list[bytes]:
        whole = self.whole(says)["candidates"][0]["content"]["parts"]
        chunks: list[list[dict[str, Any]]] = []
        for part in whole:
            if "text" in part:
                chunks += [[{**part, "text": piece}] for piece in _pieces(part["text"])]
            else:
                chunks.append([part])
        events = [_sse(self._chunk(says, parts, None)) for parts in chunks]
        return [*events, _sse(self._chunk(says, [{"text": ""}], self.FINISH[says.ending]))]

    def before_the_end(self, events: list[bytes]) -> int:
        return len(events) - 1

    def error(self, fails: Fails) -> dict[str, Any]:
        return {"error": {"code": fails.status, "message": fails.message, "status": fails.code or "UNKNOWN"}}
