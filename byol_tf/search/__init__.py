"""Search in embeddings of images."""
