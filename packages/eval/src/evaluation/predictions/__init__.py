"""Segmentations of scenes by models, baselines and other programs."""
