"""Documents for people: reports as HTML and PDF."""
