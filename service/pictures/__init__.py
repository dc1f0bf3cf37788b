"""Pictures of networks for reports: PNG and SVG, the only door to matplotlib."""
