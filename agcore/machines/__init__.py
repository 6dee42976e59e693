"""State machines: inputs in, effects and events out; what happens next in an exchange and in its calls."""
