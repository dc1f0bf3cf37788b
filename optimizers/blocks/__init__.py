"""Blocks: what each family of equipment adds to a dispatch program, from the same parameters that the twin evaluates."""
