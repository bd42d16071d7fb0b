"""One page with everything that runs and scores have to show, and the same for machines."""
