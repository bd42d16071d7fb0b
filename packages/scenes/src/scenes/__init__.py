"""Multi-object scene datasets with ground truth: Objects Room, Multi-dSprites, CLEVR."""
