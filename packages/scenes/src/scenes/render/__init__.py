"""Draws MuJoCo models, finds the truth without OpenGL, and decides which OpenGL draws."""
