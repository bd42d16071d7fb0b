"""CLEVR at 128 x 128: its own images, cropped, and scenes like them rendered with MuJoCo."""
