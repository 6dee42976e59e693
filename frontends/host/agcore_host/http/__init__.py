"""HTTP/1.1 between bytes and the core's inputs and effects, without IO: `base` says what an engine is."""
