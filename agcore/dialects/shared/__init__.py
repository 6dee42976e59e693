"""What two vendors really share."""
