"""Operations: plans and what became of commands."""
