"""Splits a file into files of training and of test scenes."""
