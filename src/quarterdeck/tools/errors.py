"""What can go wrong before a tool is called."""

from quarterdeck.core.errors import Error


class ToolsUnprepared(Error):
    """The release's tools could not be made ready on this machine."""

    code, status = "tools.unprepared", 500


class ServerUnavailable(Error):
    """The tool server could not be started or reached."""

    code, status = "tools.unavailable", 503

    def __init__(self, detail: str, *, again: bool = True, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.again = again
        """Whether another try may succeed; code that can't be loaded is as broken the next time."""
        self.retry_after = retry_after
