"""The HDF5 file that every dataset, model and score shares."""
