"""A teacher's exercise: what its file says, what R gives for it, how far seeds spread."""
