"""Files that say where objects are in images, of several formats."""
