"""Documents over the interface: brought, judged, kept, fetched, removed."""
