"""Files of sounds: from bytes, long recordings and streams to samples."""
