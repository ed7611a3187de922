"""Telling others what happened: signed messages to their endpoints, at least once, with a log of every delivery."""
