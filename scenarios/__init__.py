"""Cases and the operating loop: what runs a live, an emulated or a what-if day."""
