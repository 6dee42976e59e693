"""Requests to upstreams without IO: what a leg has sent and heard, which connections are idle, how failures are put."""
