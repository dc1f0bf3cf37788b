"""What the operating loop is worth: closed loops on the emulated park over weeks and months, and where the rest of the saving goes."""
