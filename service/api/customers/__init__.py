"""Customers over the interface: parties, premises, leads and their moves, contracts, projects, operation, key figures."""
