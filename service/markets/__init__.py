"""Trading in the store: journals, auctions, books, bills, settlements and what they leave on accounts."""
