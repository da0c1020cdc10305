"""Instructions as text: their clauses, what is wrong with them, and how to change them."""
