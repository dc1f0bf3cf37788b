"""The service catalogue: standard modules, the base packages that they compose into, and what providers offer for them."""
