"""People: logging in and out, users, keys, and the record of who did what."""
