"""What is told of an exchange: pure folds."""
