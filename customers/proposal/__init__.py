"""Proposals: what a customer reads of its package, in its language, with every figure from the design and the bill engine."""
