"""What is known about models."""
