"""Records of customers in the store: kept, checked whole, moved on, each change with its entry in the record of who did what."""
