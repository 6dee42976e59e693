"""The Model Context Protocol, as a server speaks it: messages, revisions, sessions, and the vision tools.

The modules of this folder know nothing of exchanges or calls; those of `agcore.mcp.operations` put them to work.
"""
