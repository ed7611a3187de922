"""The client's side of the Model Context Protocol, 2026-07-28 and 2025-11-25, over stdio and streamable HTTP."""
