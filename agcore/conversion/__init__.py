"""One attempt's way through two wires."""
