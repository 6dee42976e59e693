"""Where a request may go, and what a failure means."""
