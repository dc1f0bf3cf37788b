"""State estimation: one constrained weighted least squares over all carriers, and what it says of each sensor."""
