"""The only two doors by which an agent reaches the world. Each is a literal list of checks and fails closed."""
