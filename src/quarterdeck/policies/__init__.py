"""What an agent may do: policies in Cedar, generated, written by people, judged at each call."""
