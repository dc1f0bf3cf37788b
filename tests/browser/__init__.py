"""The console in a real browser; a package, so that its one demo ends with its last test."""
