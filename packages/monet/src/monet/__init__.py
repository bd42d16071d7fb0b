"""MONet (Burgess et al. 2019): unsupervised scene decomposition and representation."""
