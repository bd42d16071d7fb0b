"""Pictures, codes of geoms, and depths of a MuJoCo model, and the same truth without OpenGL."""
