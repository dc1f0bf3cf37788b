"""Meter data: import, versions, validation, estimation and editing, with a quality for every interval."""
