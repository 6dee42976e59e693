"""The demo provider: an upstream that needs no key, public as `agcore.demo_answer`."""
