"""OpenGL: which one draws, whether it tells the truth, and what there is to set where not."""
