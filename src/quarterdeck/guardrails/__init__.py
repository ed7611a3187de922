"""What is said to an agent, and what it is about to say, looked at on the edge. Signals and limits: the guarantee that
nothing harmful is done is the tool gate's.
"""
