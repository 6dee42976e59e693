"""What the MCP routes do."""
