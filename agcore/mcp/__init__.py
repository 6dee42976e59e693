"""The Model Context Protocol, as a server speaks it: messages, revisions, sessions, and the vision tools.

Nothing here knows about exchanges or calls; `operations.mcp_server` puts it to work.
"""
