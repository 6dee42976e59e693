"""Facts about models: what each accepts, and how much of it."""
