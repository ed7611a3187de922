"""Conversations that go on over many runs, and what happens when a second message comes while one is answered."""
