"""From a lead to a settled contract: what is written down on the way, the guarded moves, partners' shares and key figures."""
