"""A person's yes before a risky call: asked, answered, and used up with the call that it was given for."""
