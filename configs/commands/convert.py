"""Converts a checkpoint of the official BYOL code to a Keras encoder.

    byol_tf convert official.pkl --to=encoder.keras
    byol_tf convert official.pkl --workdir=RUN

The first writes one file, and encoder.json with its description beside it. The
second makes a run folder for all other commands, to use with your data.

    byol_tf convert efficientnet_lite0 --workdir=RUN

makes a run folder from ImageNet weights: efficientnet_lite0 of the extra
`pretrained`, or applications/NAME of keras.applications, which Keras downloads.

The official repository, google-deepmind/deepmind-research, lists the released
files in the README of its folder byol: ResNet-50 1x, ResNet-200 2x and
ablations. Its code is under Apache-2.0. The weights are under CC BY-NC, not
for commercial use; read the terms there.

Python's pickle can run arbitrary code while loading. This command runs nothing
of the file: it reads arrays, mappings, tuples and numbers, and refuses anything
else.
"""

from absl import flags

from configs import base
from configs.door import check_files
from configs.signals import importing

POSITIONAL = (("source",),)
_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "Official checkpoint, or name of an encoder with ImageNet weights.",
    required=True,
)
_TO = flags.DEFINE_string("to", None, "File to write, NAME.keras.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Run folder to make instead.")
_ENCODER = flags.DEFINE_string(
    "encoder", "auto", "Expected encoder in the file, such as resnet50."
)
_WIDTH = flags.DEFINE_float(
    "width", 0, "Expected multiple of the usual channels; 0: any."
)
_VERIFY = flags.DEFINE_string(
    "verify", None, ".npz file of `images` and official `representations`."
)
_TOLERANCE = flags.DEFINE_float(
    "tolerance", 1e-4, "Relative tolerance of the comparison by --verify."
)
_SIZE = flags.DEFINE_integer(
    "size", 224, "Side in pixels of the input, for ImageNet weights."
)


def main():
    if bool(_TO.value) == bool(_WORKDIR.value):
        raise ValueError("give either --to or --workdir")
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
    """Returns whether it names an encoder with ImageNet weights, not a file."""
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
