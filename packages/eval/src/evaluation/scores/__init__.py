"""Scores of predictions: of a file, over conditions, of latents."""
