"""Models behind one shape: real providers, recorded conversations and scripts. Only the model gate may import this."""
