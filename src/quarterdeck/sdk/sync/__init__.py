# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""The client for programs without asyncio."""
