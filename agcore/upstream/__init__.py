"""What is asked of a provider, and how its refusal is read."""
