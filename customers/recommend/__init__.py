"""Recommendation: money by exact simulation, taste by what others took, both ranked by many criteria with the weights shown."""
