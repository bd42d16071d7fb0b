"""The commands of `eval`: fields, and calls of the package's own functions."""
