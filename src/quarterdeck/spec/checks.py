"""The checks that a guardrail can name: on which edge, with which actions and settings. One table, which the author's
machine and the server judge by and the package `guardrails` implements, so that none of the three knows a check alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

INPUT, OUTPUT = "input", "output"
EDGES = (INPUT, OUTPUT)


class Kind(StrEnum):
    """What a setting holds. Of `text_file` and `schema` a release keeps the content, of `function` the file too."""

    COUNT = "count"
    SHARE = "share"
    SECONDS = "seconds"
    FLAG = "flag"
    WORD = "word"
    WORDS = "words"
    PATTERNS = "patterns"
    TOPICS = "topics"
    MODEL = "model"
    TEXT_FILE = "text_file"
    SCHEMA = "schema"
    FUNCTION = "function"
    URL = "url"
    HEADERS = "headers"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a check. `choices` are the only words it takes, `pattern` what each of them looks like."""

    kind: Kind
    what: str
    example: str
    required: bool = False
    choices: tuple[str, ...] = ()
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class CheckKind:
    """A check: what it looks for, the actions that fit it by edge (an edge that is missing has no such check), and its
    settings by name. At least one of `one_of` has to be there.
    """

    what: str
    actions: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    one_of: tuple[str, ...] = ()


ON_INPUT = ("refuse", "label", "ask", "record")
ON_OUTPUT = ("block", "redact", "retry", "ask", "record")
_WITHOUT_REDACTION = ("block", "retry", "ask", "record")
_THRESHOLD = Setting(Kind.SHARE, "The score from which on it counts as found, 0 to 1.", "threshold: 0.8")
_SCHEMA = Setting(Kind.SCHEMA, "A JSON Schema, inline or a file.", "schema: input.schema.json", required=True)

CHECKS: Mapping[str, CheckKind] = {
    "length": CheckKind(
        "The user's words are not longer than this.",
        {INPUT: ("refuse", "ask", "record")},
        {
            "max_tokens": Setting(Kind.COUNT, "Most tokens, as estimated.", "max_tokens: 4000"),
            "max_characters": Setting(Kind.COUNT, "Most characters.", "max_characters: 16000"),
            "max_bytes": Setting(Kind.COUNT, "Most bytes in UTF-8.", "max_bytes: 64000"),
        },
        one_of=("max_tokens", "max_characters", "max_bytes"),
    ),
    "characters": CheckKind(
        "No characters that nobody sees or that look like others.",
        {INPUT: ON_INPUT},
        {
            "kinds": Setting(
                Kind.WORDS,
                "Which; all by default.",
                "kinds: [invisible, bidi]",
                choices=("invisible", "bidi", "tags", "variation_selectors", "control", "homoglyphs"),
            ),
            "strip": Setting(
                Kind.FLAG, "Take them out, whatever the action is? By default they are only found.", "strip: true"
            ),
        },
    ),
    "schema": CheckKind(
        "It is JSON that fits a schema.",
        {INPUT: ("refuse", "ask", "record"), OUTPUT: _WITHOUT_REDACTION},
        {"schema": _SCHEMA},
    ),
    "injection": CheckKind(
        "It does not try to give the agent other instructions. A signal, never a guarantee.",
        {INPUT: ON_INPUT},
        {
            "threshold": _THRESHOLD,
            "classes": Setting(
                Kind.WORDS,
                "Which kinds of rules; all by default.",
                "classes: [ignore_instructions, exfiltration]",
                choices=(
                    "ignore_instructions",
                    "role_play",
                    "no_rules",
                    "hypothetical",
                    "prompt_extraction",
                    "exfiltration",
                    "concealment",
                    "forged_markup",
                    "encoded",
                    "flooding",
                    "hidden_characters",
                ),
            ),
            "classifier": Setting(Kind.FLAG, "Ask the trained classifier too? By default yes.", "classifier: false"),
        },
    ),
    "flooding": CheckKind(
        "It is not one thing said over and over.",
        {INPUT: ON_INPUT},
        {
            "threshold": Setting(
                Kind.SHARE,
                "The share that tells nothing new from which on it counts; 0.96 by default.",
                "threshold: 0.96",
            )
        },
    ),
    "pii": CheckKind(
        "No personal data, by its shape and check digits.",
        {OUTPUT: ON_OUTPUT},
        {
            "kinds": Setting(
                Kind.WORDS,
                "Which; all by default. `name` and `address` need the engine `presidio`.",
                "kinds: [email, card]",
                choices=("email", "phone", "ssn", "card", "iban", "ip", "name", "address"),
            ),
            "regions": Setting(
                Kind.WORDS, "Whose phone numbers, as country codes.", "regions: [US, DE]", pattern="^[A-Z]{2}$"
            ),
            "allow": Setting(
                Kind.WORDS, "What may be said all the same; `*` stands for any text.", 'allow: ["*@example.com"]'
            ),
            "engine": Setting(Kind.WORD, "What looks for them.", "engine: builtin", choices=("builtin", "presidio")),
        },
    ),
    "secrets": CheckKind("No credentials, by their shape.", {OUTPUT: ON_OUTPUT}),
    "prompt_leak": CheckKind(
        "It does not give the system prompt away: neither its hidden code nor long passages.",
        {OUTPUT: ON_OUTPUT},
        {"threshold": Setting(Kind.SHARE, "The share of the prompt from which on it counts.", "threshold: 0.3")},
    ),
    "links": CheckKind(
        "Links and images lead only to hosts that are allowed.",
        {OUTPUT: ON_OUTPUT},
        {
            "hosts": Setting(Kind.WORDS, "Hosts, or `*.example.com`; none by default.", "hosts: [example.com]"),
            "images": Setting(Kind.FLAG, "May images be shown from these hosts? By default no.", "images: true"),
        },
    ),
    "patterns": CheckKind(
        "Nothing that fits one of these regular expressions.",
        {OUTPUT: ON_OUTPUT},
        {
            "patterns": Setting(Kind.PATTERNS, "Regular expressions.", r"patterns: ['PRJ-\d+']", required=True),
            "ignore_case": Setting(Kind.FLAG, "Does case not count? By default it does.", "ignore_case: true"),
        },
    ),
    "topics": CheckKind(
        "Nothing about these topics, by the words that belong to them.",
        {OUTPUT: _WITHOUT_REDACTION},
        {
            "topics": Setting(
                Kind.TOPICS, "Words by topic.", "topics: {elections: [candidate, ballot]}", required=True
            ),
            "matches": Setting(Kind.COUNT, "Different words that make it the topic; 1 by default.", "matches: 2"),
        },
    ),
    "grounding": CheckKind(
        "Numbers, names and statements stand in what was retrieved for the answer.",
        {OUTPUT: _WITHOUT_REDACTION},
        {
            "threshold": Setting(Kind.SHARE, "The share that has to be found.", "threshold: 0.7"),
            "model": Setting(
                Kind.MODEL, "An exact model that decides where it is close.", "model: {provider: openai, id: ...}"
            ),
        },
    ),
    "judge": CheckKind(
        "Another model finds that it keeps to a rubric.",
        {OUTPUT: _WITHOUT_REDACTION},
        {
            "model": Setting(
                Kind.MODEL, "The exact model that judges.", "model: {provider: openai, id: ...}", required=True
            ),
            "rubric": Setting(Kind.TEXT_FILE, "A file that says what is wanted.", "rubric: rubric.md", required=True),
            "threshold": Setting(Kind.SHARE, "The least score, 0 to 1.", "threshold: 0.5"),
            "seconds": Setting(Kind.SECONDS, "How long it may take.", "seconds: 20"),
        },
    ),
    "python": CheckKind(
        "A function of your own finds nothing.",
        {INPUT: ON_INPUT, OUTPUT: ON_OUTPUT},
        {
            "function": Setting(
                Kind.FUNCTION, "A file of this folder and a function in it.", "function: checks.py:judge", required=True
            ),
            "seconds": Setting(Kind.SECONDS, "How long it may take.", "seconds: 2"),
        },
    ),
    "http": CheckKind(
        "A service of your own finds nothing.",
        {INPUT: ON_INPUT, OUTPUT: ON_OUTPUT},
        {
            "url": Setting(Kind.URL, "Its address.", "url: https://checks.example.com/v1", required=True),
            "headers": Setting(
                Kind.HEADERS,
                "Sent along; credentials are named, `Bearer secret://NAME`. The secret that `webhook-signature` names "
                "signs the request, after Standard Webhooks.",
                'headers: {authorization: "Bearer secret://CHECKS"}',
            ),
            "seconds": Setting(Kind.SECONDS, "How long it may take.", "seconds: 2"),
        },
    ),
}
"""Every check. Beyond its own settings each takes `fail: open` (it counts as passed when it breaks; by default it does
not) and `message` (what whoever wrote the text is told)."""

COMMON = ("fail", "message")
