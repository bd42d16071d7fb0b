"""Tables in which any models stand, with their seeds, on the same scenes (docs/benchmark.md)."""
