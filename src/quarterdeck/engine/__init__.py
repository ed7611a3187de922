"""The queue engine: it delivers, the lease owns. The only package that knows PgQueuer.

A delivery says "this run is ready" and is done as soon as the run is claimed. Losing deliveries costs time and nothing
else, so their tables are unlogged; what is owed is always in `qd.runs`.
"""
