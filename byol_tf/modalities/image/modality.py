"""Images as a modality."""

from byol_tf.modalities.image import inputs
from byol_tf.modalities.image.decode import EXTENSIONS


class ImageModality:
    """All that is special to images."""

    name = "image"
    extensions = EXTENSIONS
    sizes = staticmethod(inputs.sizes)
    decode_row = staticmethod(inputs.decode_row)
    origin = staticmethod(inputs.origin)
    inputs = staticmethod(inputs.inputs)


IMAGE = ImageModality()
