"""ASGI in types: the plain protocol that the border speaks, below the framework."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

# The protocol gives each key of these a type of its own; where one is read, it is said which.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
