"""Ordinary talk by the thousand sentences: letters, chats, notes, made of common words put together at random.

Most of what people write to an agent is neither about prompts nor about rules. Without it a classifier takes the way
people talk (`I don't have it with me`) for the way they attack.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence

_SLOT = re.compile(r"\{(\w+)\}")

PARTS: Mapping[str, Sequence[str]] = {
    "i": (
        "I", "we", "you", "they", "he", "she", "it", "my wife", "my husband", "our team", "the customer", "somebody",
        "the manager", "my son", "the driver", "your colleague", "everyone", "this", "that", "the agent", "nobody",
    ),
    "be": (
        "am", "are", "is", "was", "were", "will be", "has been", "have been", "would be", "might be", "isn't", "wasn't",
        "aren't", "can't be", "should be", "must be", "could be", "won't be", "'m", "'re", "'s", "'m not", "'re not",
    ),
    "can": (
        "can", "could", "will", "would", "should", "must", "may", "might", "don't", "didn't", "can't", "won't",
        "wouldn't", "couldn't", "do not", "want to", "need to", "have to", "would like to", "'d like to", "'ll", "'d",
        "used to", "am going to", "plan to", "hope to", "tried to", "was told to", "am trying to", "forgot to", "never",
        "always", "already", "just", "also", "still", "often", "usually", "really", "only", "now", "then",
    ),
    "do": (
        "have", "get", "make", "find", "see", "take", "know", "use", "give", "tell", "ask", "work", "call", "try",
        "need", "keep", "let", "begin", "help", "show", "hear", "play", "run", "move", "live", "bring", "write",
        "provide", "sit", "stand", "lose", "pay", "meet", "include", "continue", "set", "learn", "change", "lead",
        "understand", "watch", "follow", "stop", "create", "speak", "read", "allow", "add", "spend", "grow", "open",
        "walk", "win", "offer", "remember", "consider", "buy", "wait", "serve", "send", "expect", "build", "stay",
        "fall", "cut", "reach", "remain", "suggest", "raise", "pass", "sell", "require", "report", "decide", "pull",
        "book", "cancel", "check", "confirm", "update", "upgrade", "return", "order", "reply", "share", "sign",
        "travel", "carry", "choose", "print", "answer", "respond", "act", "pretend", "describe", "explain", "ignore",
        "forget", "reveal", "repeat", "enable", "care", "simulate", "imagine", "generate", "say", "talk", "start",
        "end", "want", "like", "love", "hate", "feel", "think", "believe", "bet", "guess", "mean", "look", "come", "go",
        "leave", "arrive", "fix", "clean", "cook",
    ),
    "did": (
        "had", "got", "made", "found", "saw", "took", "knew", "used", "gave", "told", "asked", "worked", "called",
        "tried", "needed", "kept", "began", "helped", "showed", "heard", "played", "ran", "moved", "lived", "brought",
        "wrote", "lost", "paid", "met", "changed", "understood", "followed", "stopped", "created", "spoke", "read",
        "added", "spent", "opened", "offered", "remembered", "bought", "waited", "sent", "expected", "booked",
        "cancelled", "confirmed", "updated", "ordered", "answered", "said", "talked", "started", "wanted", "liked",
        "thought", "felt", "came", "went", "left", "arrived", "fixed", "received", "checked", "forgot", "missed",
        "ignored", "agreed",
    ),
    "a": (
        "a", "the", "my", "your", "our", "their", "this", "that", "any", "some", "another", "every", "each", "no",
        "both", "all the", "one of the", "the other", "the same", "the whole", "his", "her", "its", "most of the",
        "a few", "many", "these", "those", "all of my", "all", "several", "two", "three", "the first", "the last",
        "the previous", "a new",
    ),
    "adj": (
        "new", "good", "high", "old", "big", "small", "large", "long", "early", "young", "important", "public", "bad",
        "able", "late", "hard", "major", "better", "free", "clear", "sure", "full", "special", "easy", "strong", "open",
        "wrong", "real", "short", "single", "personal", "red", "difficult", "available", "likely", "current", "natural",
        "general", "private", "past", "common", "poor", "happy", "serious", "ready", "simple", "left", "possible",
        "different", "final", "main", "green", "nice", "huge", "popular", "cold", "dark", "various", "entire", "close",
        "legal", "religious", "fine", "dead", "detailed", "medical", "moral", "ethical", "safe", "dangerous", "angry",
        "funny", "crazy", "evil", "smart", "creative", "fictional", "honest", "rude", "polite", "unusual", "quick",
    ),
    "n": (
        "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state",
        "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company",
        "system", "program", "question", "work", "government", "number", "night", "point", "home", "water", "room",
        "mother", "area", "money", "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word",
        "business", "issue", "side", "kind", "head", "house", "service", "friend", "father", "power", "hour", "game",
        "line", "end", "member", "law", "car", "city", "community", "name", "president", "team", "minute", "idea",
        "kid", "body", "information", "back", "parent", "face", "level", "office", "door", "health", "person", "art",
        "war", "history", "party", "result", "change", "morning", "reason", "research", "girl", "guy", "moment", "air",
        "teacher", "force", "education", "foot", "flight", "seat", "bag", "card", "certificate", "reservation",
        "refund", "gift card", "insurance", "passenger", "ticket", "hotel", "address", "e-mail", "phone number",
        "account", "invoice", "order", "parcel", "shop", "price", "option", "plan", "list", "answer", "message", "text",
        "letter", "document", "file", "password", "code", "app", "computer", "website", "user", "assistant", "model",
        "character", "language", "response", "request", "rule", "policy", "instruction", "example", "conversation",
        "role", "opinion", "content", "output", "input", "mode", "command", "prompt", "format", "sentence", "paragraph",
        "topic", "emotion", "personality", "emoji", "chat", "meeting", "report", "budget", "project", "contract",
        "deadline", "recipe", "dinner", "trip", "song", "movie", "doctor", "hospital", "dog", "cat", "garden",
        "kitchen", "train", "weather", "summer", "Friday", "birthday",
    ),
    "prep": (
        "of", "in", "to", "for", "with", "on", "at", "from", "by", "about", "as", "into", "like", "through", "after",
        "over", "between", "out of", "against", "during", "without", "before", "under", "around", "among", "instead of",
        "because of", "according to", "near", "per", "since", "until", "regardless of", "than", "behind", "above",
    ),
    "and": (
        "and", "but", "or", "because", "so", "if", "when", "that", "which", "while", "although", "as", "before",
        "after", "where", "since", "until", "unless", "who", "and then", "so that", "even though", "then", "though",
        "how", "why",
    ),
    "adv": (
        "now", "today", "tomorrow", "yesterday", "again", "here", "there", "soon", "later", "at the moment",
        "right now", "as well", "too", "please", "so far", "next week", "last night", "at all", "anymore", "instead",
        "together", "on Monday", "in the morning", "by then", "for now", "at once", "in time", "in detail", "for free",
        "once more",
    ),
    "open": (
        "Hi", "Hello", "Hi there", "Dear Sir or Madam", "Good morning", "Thanks", "Thank you", "Sure", "Yes", "No",
        "Okay", "Alright", "Well", "Sorry", "I'm sorry", "Actually", "By the way", "Great", "Got it", "I see", "Hmm",
        "Of course", "Perfect", "Listen", "Hey", "Yeah", "Oh", "To be honest", "In short", "First", "Second", "Note",
    ),
    "close": (
        "Thank you for your help.", "Thanks in advance.", "Is that possible?", "Can you help me with that?", "Regards",
        "Best wishes", "What do you think?", "Does that work?", "Let me know.", "That's all for now.", "Bye!", "Okay?",
        "I'd appreciate it.", "Could you check that for me?", "See you soon.", "Any ideas?", "Is there another way?",
    ),
    "wh": (
        "what", "when", "where", "why", "how", "who", "which", "how much", "how many", "how long", "what kind of",
    ),
    "code": (
        "A1B2C3", "HX92", "EUJ-77", "#4411", "user_1234", "2026-03-14", "10:30", "$150", "12 %", "3,000", "50 EUR",
        "7 pm", "id: 17", "room 4B", "a.smith@example.com", "+44 20 7946 0000", "www.example.org", "12:00:00", "v2.1",
        "Q3",
    ),
}  # fmt: skip

FRAMES: Sequence[str] = (
    "{i} {can} {do} {a} {n} {prep} {a} {n}",
    "{i} {did} {a} {adj} {n} {prep} {a} {n} {adv}",
    "{i} {be} {adj} {prep} {a} {n}",
    "{a} {n} {be} {adj} {and} {i} {can} {do} {a} {n}",
    "{i} {can} {do} {prep} {a} {n} {and} {i} {did} {prep} {a} {adj} {n}",
    "please {do} {a} {n} {prep} {a} {n} {adv}",
    "{do} {a} {adj} {n} {and} {do} {a} {n}",
    "can you {do} {a} {n} {prep} {a} {n}?",
    "could you {do} me {a} {adj} {n}?",
    "{wh} {can} {i} {do} {a} {n}?",
    "{wh} {be} {a} {n} {prep} {a} {n}?",
    "do you {do} {wh} {i} {can} {do} {a} {n}?",
    "{i} {can} {do} {wh} {a} {n} {be}",
    "there {be} {a} {n} {prep} {a} {adj} {n}",
    "it {be} {adj} to {do} {a} {n} {prep} {a} {n}",
    "{i} {did} that {a} {n} {be} {adj} {adv}",
    "{i} don't {do} {a} {n} {prep} {a} {n}",
    "my {n} {be} {code} and {a} {n} {be} {code}",
    "{a} {n}: {code}",
    "{n}: {adj} {n}, {n}: {code}",
    "{i} {can} {do} it {and} {i} {can} {do} {a} {n} {adv}",
    "let's {do} {a} {n} {prep} {a} {n}",
    "{prep} {a} {adj} {n}, {i} {did} {a} {n}",
    "if {i} {can} {do} {a} {n}, {i} {can} {do} {prep} {a} {n}",
    "{a} {n} {can} {do} {a} {n} {and} {be} {adj}",
    "as {a} {n}, {i} {can} {do} {a} {adj} {n}",
    "{i} {can} not {do} {a} {n} {and} {do} {a} {n}",
    "{a} {adj} {n} {did} {prep} {a} {n} {and} {did} {a} {n} {prep} {code}",
)


def talk(count: int, seed: int) -> Iterator[str]:
    """That many texts of one to twenty-five such sentences, mostly short, the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        length = chance.choice((1, 1, 1, 2, 2, 3, 4, 6, 12, 25))
        yield chance.choice((" ", " ", "\n", "\n  ")).join(_sentence(chance) for _ in range(length))


def _sentence(chance: random.Random) -> str:
    def choose(slot: re.Match[str]) -> str:
        return chance.choice(PARTS[slot[1]])

    text = _SLOT.sub(choose, chance.choice(FRAMES)).replace(" '", "'")
    if chance.random() < 0.2:
        text = f"{chance.choice(PARTS['open'])}, {text}"
    text = text[0].upper() + text[1:] + ("" if text.endswith("?") else chance.choice((".", ".", ".", "!", ",", ":")))
    return f"{text} {chance.choice(PARTS['close'])}" if chance.random() < 0.15 else text
