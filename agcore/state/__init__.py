"""State that changes while the server runs: each store a plain value with bounds."""
