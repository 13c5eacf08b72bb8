"""Chooses batch sizes that recipes leave open, for all modalities."""

from byol_tf.lines import plural


def open_batch(
    section, count: int, max_size: int, name: str
) -> tuple[dict, list[str]]:
    """Plans the batch size if a configuration leaves it open.

    Args:
        section: configuration with `batch_size`; 0: open.
        count: training examples.
        max_size: batch size for many examples.
        name: word for an example.

    Returns:
        Fields and lines, see `Modality.plan`.
    """
    if section.batch_size:
        return {}, []
    size = batch_for(count, max_size)
    line = f"Batch: {size} of {count} {plural(name)}."
    return {"batch_size": size}, [line]


def batch_for(count: int, max_size: int) -> int:
    """Returns `max_size`, or of few examples a power of two up to a quarter."""
    quarter = max(count // 4, 2)
    return max_size if quarter >= max_size else 1 << quarter.bit_length() - 1
