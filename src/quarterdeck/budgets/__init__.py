"""What may be spent, by whom and until when: reserved before a call, settled after it."""
