"""Requests to a provider, and the reading of its refusals."""
