"""The words between the core and its frontends: inputs, effects, faults, and which of them is legal when."""
