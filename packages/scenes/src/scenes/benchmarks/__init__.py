"""Fixed test files: scores of different models are of the same scenes (docs/benchmark.md)."""
