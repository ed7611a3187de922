"""A run: its record, its state machine, and its log: checkpoint, stream, trace, replay source and history in one."""
