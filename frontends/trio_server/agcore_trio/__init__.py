"""The trio frontend: agcore's machines over trio streams and h11, the way with the least latency.

`server.serve` runs a gateway on TCP listeners; `cli.main` is the command `agcore`.
"""
