"""What-if cases: a site, named changes to it and to what happens there, a stretch of time, and what came of it."""
