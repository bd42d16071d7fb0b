"""Arrays of one's own, in memory, as a file of scenes."""
