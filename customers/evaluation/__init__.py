"""Evaluation: weights and rankings by many criteria, evaluation systems as versioned data, and the index of target customers."""
