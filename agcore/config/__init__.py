"""A configuration as values, from and to text."""
