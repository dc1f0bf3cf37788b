"""Packages: what a customer could be supplied with, simulated on its own meter data, priced and proven."""
