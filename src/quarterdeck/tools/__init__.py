"""Tools, every one an MCP tool: remote, local command, or the agent's own functions in a tool host."""
