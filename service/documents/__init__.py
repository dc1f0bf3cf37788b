"""Documents that people bring: sites, profiles, register maps and tariffs, each judged whole before it is kept."""
