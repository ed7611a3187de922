"""What runs in a tool host, the process in which an agent's own functions live. Imports nothing of the server."""
