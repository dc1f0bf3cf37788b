"""What people look at, computed from the memory: flows that add up, key figures, plan against measured, quality. Pure functions of data."""
