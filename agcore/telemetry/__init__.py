"""Folds of typed events: log rows and recordings, all pure."""
