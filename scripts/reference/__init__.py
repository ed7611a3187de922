"""The reference in `docs/reference`, as far as it can be made from the code: one module a page."""
