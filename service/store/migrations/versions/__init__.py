"""The changes in their order; a change that was released is never edited."""
