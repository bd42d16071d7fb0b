"""Scenes of arrays in memory."""
