"""What people should know before it hurts: money that runs out, spending that jumps, providers that turn work away."""
