"""Makes a Keras encoder of a checkpoint of the official BYOL code.

    byol_tf convert official.pkl --to=encoder.keras
    byol_tf convert official.pkl --workdir=RUN

The first writes one file, and encoder.json, which tells of it, beside it. The
second makes a run folder that all other commands take, with data of yours.

    byol_tf convert efficientnet_lite0 --workdir=RUN

makes one of weights of ImageNet as they came, of the extra `pretrained` or of
keras.applications (applications/NAME, which Keras downloads).

The official repository, google-deepmind/deepmind-research, names the released
files in the README of its folder byol: ResNet-50 1x, ResNet-200 2x and
ablations. Its code is under Apache-2.0, the weights are under CC BY-NC, not
for commercial use; read the terms there.

A pickle can run anything when it is loaded as Python does. Here nothing of
the file is run: arrays, mappings, tuples and numbers are read, and whatever
else it names is refused.
"""

from absl import flags

from configs import base
from configs.door import check_files
from configs.signals import importing

POSITIONAL = (("source",),)
_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "The official checkpoint; may stand first, without a flag.",
    required=True,
)
_TO = flags.DEFINE_string("to", None, "File to write, NAME.keras.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Or: run folder to make.")
_ENCODER = flags.DEFINE_string(
    "encoder", "auto", "What must be in the file, such as resnet50."
)
_WIDTH = flags.DEFINE_float(
    "width", 0, "Multiple of the usual channels that it must have; 0: any."
)
_VERIFY = flags.DEFINE_string(
    "verify", None, "File .npz of `images` and official `representations`."
)
_TOLERANCE = flags.DEFINE_float(
    "tolerance", 1e-4, "Of the comparison with them, relative."
)
_SIZE = flags.DEFINE_integer(
    "size", 224, "Pixels of a side that weights of ImageNet shall take."
)


def main():
    if bool(_TO.value) == bool(_WORKDIR.value):
        raise ValueError("say where to: either --to or --workdir")
    published = is_published(_SOURCE.value)
    if published and not _WORKDIR.value:
        raise ValueError(f"{_SOURCE.value} becomes a run folder: --workdir=RUN")
    if not published:
        check_files("source", [_SOURCE.value])
    check_files("verify", [_VERIFY.value] if _VERIFY.value else [])
    with importing():
        from byol_tf.jobs.convert import build
        from byol_tf.jobs.convert.published import published_run
    if published:
        about = published_run(
            _SOURCE.value, _WORKDIR.value, base.get_config(), _SIZE.value
        )
        print("\n".join(f"{name:16}{value}" for name, value in about.items()))
        return
    options = {
        "encoder": _ENCODER.value,
        "width": _WIDTH.value,
        "vectors": _VERIFY.value,
        "tolerance": _TOLERANCE.value,
    }
    if _TO.value:
        about = build.convert_file(_SOURCE.value, _TO.value, **options)
    else:
        about = build.convert_run(
            _SOURCE.value, _WORKDIR.value, base.get_config(), **options
        )
    print("\n".join(f"{name:16}{value}" for name, value in rows(about)))


def is_published(source: str) -> bool:
    """Whether it names an encoder with weights of ImageNet, and no file."""
    return source == "efficientnet_lite0" or source.startswith("applications/")


def rows(about):
    source, measured = about["source"], about["relative_differences"]
    yield "encoder", f"{about['encoder']}, width {about['width']:g}"
    yield "from", f"{source['file']}, {source['arrays']} arrays, all used"
    yield "step", source["step"]
    yield "parameters", f"{about['parameters']:,}"
    yield "layers", f"{about['layers_with_weights']} with weights"
    yield "images", f"any size; pretrained at {about['image_size']} pixels"
    yield "representation", f"{about['features']} numbers"
    if "recorded" in measured:
        yield "recorded", f"differs by {measured['recorded']:.1e}, relative"
    yield "loaded again", f"differs by {measured['reloaded']:.1e}, relative"
    yield "written", about["file"]
    yield "sha256", about["sha256"]
