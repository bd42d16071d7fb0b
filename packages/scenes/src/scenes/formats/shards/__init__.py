"""Files of scenes as a folder of shards, with a card: what hubs and training loops read."""
