"""From a recorded program to a tape."""
