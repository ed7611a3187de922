"""What a model is shown of a long conversation: all of it is kept, and less is sent."""
