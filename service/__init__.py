"""The service: HTTP API, web console, command line and the wiring of the running system."""
