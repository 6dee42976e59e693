"""An upstream that needs no key."""
