"""Features of customers in three dimensions: time, class and response."""
