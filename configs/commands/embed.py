"""Embeds a folder, and searches the embeddings.

    byol_tf embed RUN DIR --out=embeddings.parquet

Run the same command again to continue after an interruption, or to embed new
files. Then

    byol_tf embed --embeddings=embeddings.parquet --query=FILE
    byol_tf embed --embeddings=embeddings.parquet --duplicates
    byol_tf embed --embeddings=embeddings.parquet --map=map.html

find the files nearest to one (`query.png`), find groups of near-duplicates
(`duplicates.csv`, `duplicates.png`), and draw a map. A query may be a text.
"""

from absl import flags
from ml_collections import config_flags

from configs import door, signals
from configs.kinds import is_file_name

POSITIONAL = (("workdir", "images"),)
DEFAULT_CONFIG = "embed.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/embed.py, the default."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run folder with an encoder.keras."
)
_IMAGES = flags.DEFINE_string(
    "images",
    None,
    "Folder to embed; with --embeddings, where it is now.",
)
_OUT = flags.DEFINE_string(
    "out", None, "Parquet file; default: embeddings.parquet in the run folder."
)
_EMBEDDINGS = flags.DEFINE_string(
    "embeddings", None, "Parquet file to search in; default: that of --out."
)
_QUERY = flags.DEFINE_multi_string(
    "query", [], "File or text to find the nearest rows of."
)
_DUPLICATES = flags.DEFINE_bool("duplicates", False, "Find near-duplicates.")
_MAP = flags.DEFINE_string("map", None, "HTML file to draw a map into.")
_SHOWN = 10  # unreadable rows to name


def main():
    config = _CONFIG.value
    path = door.embeddings_path(_WORKDIR.value, _OUT.value, _EMBEDDINGS.value)
    searches = (_QUERY.value, _DUPLICATES.value, _MAP.value)
    embeds = _IMAGES.value and not _EMBEDDINGS.value
    if not embeds and not any(searches):
        raise ValueError("give --images, --query, --duplicates or --map")
    check_paths(embeds, path)
    with signals.importing():
        from byol_tf.jobs.embed import build
        from byol_tf.locks import owned_folder
        from byol_tf.search.parts import parts_folder

    if embeds:
        with owned_folder(parts_folder(path)):
            embed(build, config, path)
    if any(searches):
        search(build.Search(config, path, _IMAGES.value))


def check_paths(embeds, path):
    if embeds:
        if not _WORKDIR.value:
            raise ValueError("--workdir=RUN is needed to embed a folder")
        door.check_encoder(_WORKDIR.value)
    else:
        door.check_embeddings(path)
    if _IMAGES.value:
        door.check_files_of(_IMAGES.value)
    # Other queries may be texts, which need no file.
    door.check_files("query", filter(is_file_name, _QUERY.value))


def embed(build, config, path):
    done = build.embed(config, _WORKDIR.value, _IMAGES.value, path)
    print(f"Read {done.new} new {done.nouns}; {done.images} are in {done.path}")
    for name, reason in done.unread[:_SHOWN]:
        print(f"  not read: {name}: {reason}")
    if len(done.unread) > _SHOWN:
        rest = len(done.unread) - _SHOWN
        print(f"  and {rest} more, with their reasons in the column `status`")


def search(job):
    if _QUERY.value:
        results, picture = job.query(_QUERY.value, _WORKDIR.value)
        for query, found in results:
            print(f"\nNearest to {query}:")
            for path, cosine in found:
                print(f"  {cosine:6.3f}  {path}")
        print(f"\nPicture: {picture}")
    if _DUPLICATES.value:
        groups, count, rule, files = job.duplicates()
        print(
            f"\nGroups of near-duplicates: {groups}, with {count} {job.nouns} "
            f"({rule})"
        )
        print(f"Written: {', '.join(map(str, files))}")
    if _MAP.value:
        print(f"\nOn the map: {job.map(_MAP.value)} {job.nouns}; {_MAP.value}")
