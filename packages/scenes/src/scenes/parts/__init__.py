"""The parts of a build: planned, made by workers, and put together."""
