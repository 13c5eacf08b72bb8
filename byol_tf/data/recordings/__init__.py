"""Sound files: from bytes, long recordings and streams to samples."""
