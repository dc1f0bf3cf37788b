"""Portraits of customers and of markets: what is known, in sentences that say how sure they are."""
