"""Other projects' file formats: their records become scenes, and files become their records."""

from typing import Literal

ExportFormat = Literal["tfrecord", "object-centric-library", "parquet", "webdataset"]
"""What `scenes.formats.export` writes."""
ShardFormat = Literal["parquet", "webdataset"]
"""Those of them that are a folder of shards."""
