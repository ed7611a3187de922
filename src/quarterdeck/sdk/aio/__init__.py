"""The client for asyncio. The one without is made from it: `python -m scripts.sdk` writes `quarterdeck.sdk.sync`."""
