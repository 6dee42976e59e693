"""One attempt's way through two wires, the client's and the upstream's."""
