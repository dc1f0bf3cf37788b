"""Jobs: studies with progress, cancel and results as files."""
