"""How far the drawings of one scene by two renderers may differ."""

# Measured on 67 test scenes of 64 x 64 between Mesa's llvmpipe and softpipe, which smooths no
# edges: images at most 2.1 apart, labels and depths at 0.03% of the pixels, the rest not at all.
IMAGE_TOLERANCE = 4.0
"""Mean absolute difference of a scene's image, of 255."""
LABEL_TOLERANCE = 0.005
"""Share of a scene's pixels that may belong to another entity, or be at another depth."""
VALUE_TOLERANCE = 1e-4
"""Difference of any other number."""
