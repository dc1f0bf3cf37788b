"""A day at a market, from the forecast to the ledger."""
