"""The neutral form of a request and its answer, in no vendor's words."""
