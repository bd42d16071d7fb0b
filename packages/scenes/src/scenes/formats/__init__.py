"""Other projects' file formats: their records become scenes, and files become their records."""

from typing import Literal

ExportFormat = Literal["tfrecord", "object-centric-library"]
"""What `scenes.formats.export` writes."""
