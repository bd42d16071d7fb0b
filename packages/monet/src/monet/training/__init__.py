"""How MONet is trained: data, steps, runs and their folders."""
