"""The tenant over the interface: its name, and whether it asks for four eyes."""
