"""Trading: contracts, orders, clearing, settlement."""
