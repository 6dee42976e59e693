"""A request's head, decided."""
