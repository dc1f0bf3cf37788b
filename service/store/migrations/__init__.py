"""Changes of the store's tables, one file each, both ways."""
