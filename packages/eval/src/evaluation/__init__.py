"""Scores of how well any model takes a scene apart, and the figures of the MONet paper."""
