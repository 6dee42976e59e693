"""The operations of the MCP routes."""
