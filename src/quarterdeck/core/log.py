"""Process logs are events with fields, one JSON object a line, with request, run and tenant ids bound by context."""

import logging
import sys
from typing import TextIO, cast

import structlog

from quarterdeck.core.json import encode_text


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose calls are `log.info("run.admitted", run=..., release=...)`."""
    return structlog.stdlib.get_logger(name)


def bind(**fields: object) -> None:
    """Add fields to every line that this task, and the tasks it starts, will log."""
    _ = structlog.contextvars.bind_contextvars(**fields)


def clear() -> None:
    """Forget the fields bound in this context."""
    structlog.contextvars.clear_contextvars()


def configure(level: str = "info", *, json: bool = True, stream: TextIO | None = None) -> None:
    """Send all logs, the standard library's too, to one stream (standard error by default)."""
    target = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_render)
        if json
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _render(value: object, **_: object) -> str:
    """One line of JSON; what JSON has no form for is shown as text rather than lost."""
    try:
        return encode_text(value)
    except TypeError:
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {"event": value}
        return encode_text({name: str(field) for name, field in fields.items()})
