"""The console: pages for people, rendered on the server, kept live by the event stream."""
