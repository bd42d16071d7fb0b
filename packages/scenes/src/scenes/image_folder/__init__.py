"""A folder of pictures of any size, with masks or without, as scenes."""
