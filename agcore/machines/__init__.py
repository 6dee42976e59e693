"""What happens next."""
