"""The trio frontend: agcore's machines over trio streams, the way with the least latency.

`server.serve` runs a gateway on TCP listeners. `python -m agcore_trio` is the command `agcore`.
"""
