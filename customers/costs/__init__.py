"""What modules cost and earn, each figure with its range and where it was read."""
