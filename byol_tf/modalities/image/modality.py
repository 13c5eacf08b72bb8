"""Images as a modality: what `modalities.contract` asks for, from this room."""

from byol_tf.modalities.image import card, inputs, making
from byol_tf.modalities.image.decode import EXTENSIONS


class ImageModality:
    """All that is special to images; see `modalities.contract.Modality`."""

    name = "image"
    extensions = EXTENSIONS
    sizes = staticmethod(inputs.sizes)
    decode_row = staticmethod(inputs.decode_row)
    origin = staticmethod(inputs.origin)
    inputs = staticmethod(inputs.inputs)
    decoder = staticmethod(making.decoder)
    fit = staticmethod(making.fit)
    views = staticmethod(making.views)
    crops = staticmethod(making.crops)
    train_view = staticmethod(making.train_view)
    supervised_augment = staticmethod(making.supervised_augment)
    encoder = staticmethod(making.encoder)
    levels = staticmethod(making.levels)
    raw = staticmethod(making.raw)
    card = staticmethod(card.card)
    preview = staticmethod(making.preview)
    thumbnail = staticmethod(making.thumbnail)
    draw_views = staticmethod(making.draw_views)


IMAGE = ImageModality()
