"""Endpoints of trading: tariffs, bills, auctions, order books, positions, settlement, accounts, certificates, offers."""
