"""Whether a final answer has the shape that its agent promises: the same check that guardrails use."""

from quarterdeck.guardrails.shape import Fits, Misfits, OutputCheck

__all__ = ["Fits", "Misfits", "OutputCheck"]
