"""Switches: what is stopped or narrowed now, by whom, why and until when; seen by every process within a second."""
