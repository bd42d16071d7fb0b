"""The commands of `scenes`: fields, and calls of the package's own functions."""
