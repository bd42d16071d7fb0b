"""Scenes of a folder of pictures of any size, with masks or without."""
