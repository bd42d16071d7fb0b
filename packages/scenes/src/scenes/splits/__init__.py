"""Some rows of a file as a file of their own: training and test scenes of one source."""
