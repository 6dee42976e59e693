"""The command `agcore`: `main.main` runs it, each verb's work stands in a module of its own."""
