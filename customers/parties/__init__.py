"""Who takes part: parties with their roles and contacts, their premises, service points and meters."""
