"""What models and baselines say of scenes, and where it comes from."""
