"""Readers of other projects' files: each gives scenes one by one (`scenes.formats.records`)."""
