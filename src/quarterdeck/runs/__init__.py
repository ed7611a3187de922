"""A run: its record, its state machine and its log, which is checkpoint, stream, trace, replay source and history at once."""
