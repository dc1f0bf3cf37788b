"""Planning studies: what to build on a site, from a file of options to a plan that the twin has replayed."""
