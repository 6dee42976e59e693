"""Routing: the places where a request may go, and the meaning of a failure."""
