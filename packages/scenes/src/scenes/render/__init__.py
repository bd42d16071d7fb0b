"""Pictures, codes and depths of MuJoCo models; the truth without OpenGL; and which OpenGL."""
