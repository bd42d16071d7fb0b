"""A page in which scenes are taken apart by hand, slot by slot, with the model's own decoder."""
