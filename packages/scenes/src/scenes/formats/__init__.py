"""Other projects' file formats: their records become scenes, and files become their records."""
