"""The console's words, a module per room: key → (English, Chinese)."""
