"""The words of the domain and its physics: site, components, networks, tariffs, forecasts, errors and ports."""
