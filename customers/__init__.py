"""Customers: parties, meter data, portraits, packages."""
