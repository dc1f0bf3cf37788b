"""Who may do what: roles, people and programs, how they come in, and how they are kept out."""
