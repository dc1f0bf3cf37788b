"""Studies over the interface: which kinds can be asked for, and the shipped scenarios."""
