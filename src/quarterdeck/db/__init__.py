"""PostgreSQL, the one store: pools and transactions, migrations, start-up refusals, wakes and the embedded server."""
