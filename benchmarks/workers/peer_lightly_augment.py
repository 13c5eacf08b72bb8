"""Draws lightly's two views in the workers of a PyTorch data loader."""

import numpy as np
import torch
from lightly.transforms.byol_transform import (
    BYOLTransform,
    BYOLView1Transform,
    BYOLView2Transform,
)
from PIL import Image
from torchvision.datasets import ImageFolder

from benchmarks.workers import protocol


class Arrays(torch.utils.data.Dataset):
    """Yields images of an array, again and again."""

    def __init__(self, images, count, transform):
        self.images, self.count, self.transform = images, count, transform

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index % len(self.images)])
        return self.transform(image)


def two_views(size: int, **overrides) -> BYOLTransform:
    """Makes the paper's two views, not normalised, as our encoder does that."""
    overrides = {"input_size": size, "normalize": None, **overrides}
    return BYOLTransform(
        BYOLView1Transform(**overrides), BYOLView2Transform(**overrides)
    )


def prepare(case: dict) -> protocol.Repeated:
    """Draws views of an array, or of the files in a folder."""
    workers, batch = protocol.threads(), case["batch"]
    transform = two_views(case["size"])
    if "folder" in case:
        data = ImageFolder(case["folder"], transform)
        count = len(data) // batch * batch
    else:
        # Many batches, so that the end, where workers wait for each other,
        # takes a small share.
        shape = (batch, case["source"], case["source"], 3)
        images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        count = (
            8 * workers * batch if case["size"] < 64 else 2 * workers * batch
        )
        data = Arrays(images, count, transform)
    loader = torch.utils.data.DataLoader(
        data,
        batch,
        num_workers=workers,
        drop_last=True,
        persistent_workers=True,
    )

    def piece():
        for _ in loader:
            pass

    info = {"variant": f"{workers} worker processes"}
    return protocol.Repeated(piece, count, case["seconds"], info)


if __name__ == "__main__":
    # There are as many workers as cores, so each has one thread.
    torch.set_num_threads(1)
    protocol.serve(prepare, "torch", "torchvision", "lightly", "pillow")
