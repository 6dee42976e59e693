"""Vendors as strict as they are reported to be, offline: their refusals as rows of data, and servers that hold to them.

A row (`rule.Rule`) has a vendor's words, where they were seen, and a request that they answer; `test_strict_vendors.py`
proves that each one fires. `emulator.emulating(vendor)` is a server that refuses by them, and answers what is left with
a call of a tool, and then with what the tool found.
"""
