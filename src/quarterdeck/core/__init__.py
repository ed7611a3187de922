"""What every other package stands on: ids, errors, clock, money, JSON, text, settings and logs."""
