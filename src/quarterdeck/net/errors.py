"""What can go wrong on the way out, told so that a tenant learns the rule and never what stands inside."""

from quarterdeck.core.errors import Error


class TargetRefused(Error):
    """This address is not one that outbound calls may reach."""

    code, status = "net.target_refused", 422


class OutboundTimeout(Error):
    """The other side took too long to answer."""

    code, status = "net.timeout", 504


class OutboundLate(Error):
    """The request was held back: by the time the connection stood, it was not to be sent any more."""

    code, status = "net.late", 504


class OutboundTooLarge(Error):
    """The other side's answer is larger than this call accepts."""

    code, status = "net.too_large", 502


class OutboundFailed(Error):
    """The other side could not be reached, or its answer could not be read."""

    code, status = "net.failed", 502
