"""Multi-dSprites: several dSprites in one image, with their masks."""
