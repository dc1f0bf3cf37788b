"""Figures by which the company is managed: the funnel, customers that may leave, margins, what is owed, what was in service."""
