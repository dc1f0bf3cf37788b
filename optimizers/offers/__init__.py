"""Trade offers from the site's own dispatch: price paths, each one's optimum, curves, profiles, capacity."""
