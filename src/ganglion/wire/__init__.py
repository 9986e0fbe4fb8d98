"""What hub and node say to each other: messages, paths, codec, problem documents. Pure."""
