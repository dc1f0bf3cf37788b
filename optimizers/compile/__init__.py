"""The compiler: rules written once for an unnamed step become a sparse program for every step."""
