"""A request's head, decided: route, key, browser rules, admission."""
