"""A shop passes through pretraining."""

import csv

import numpy as np
import pytest

from byol_tf import load_encoder
from byol_tf.data import sources
from byol_tf.data.interactions import read_shop
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.modalities.history.rows import Shops, key_of
from byol_tf.modalities.registry import load_modality
from byol_tf.runs.config import save_config
from configs import kinds
from tests.support.eager import eagerly
from tests.support.runs import tiny_config
from tests.support.shops import shop_rows, write_shop

SMALL = {
    "modality": "history",
    "data.source": "folder",
    "data.test_split": "",
    "history.length": 16,
    "history.held_out": 0.25,
    "encoder.name": "histories",
    "encoder.widths": (16, 8),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder / "data", *shop_rows(users=80))
    return folder


@pytest.fixture(scope="module")
def examples(folder):
    config = tiny_config(folder / "data", **SMALL)
    decoder = load_modality("history").decoder(config)
    data = str(folder / "data")
    return {
        split: sources.load("folder", "", split, data, decoder=decoder)
        for split in ("train", "all")
    }


def test_the_table_shows_the_kind_of_a_folder(folder):
    kind, line = kinds.kind_of(str(folder / "data"))
    assert kind == "history" and "interactions.csv" in line


def test_a_row_holds_a_users_items_newest_first(folder, examples):
    with open(folder / "data" / "interactions.csv", newline="") as file:
        events = [row for row in csv.DictReader(file) if row["user"] == "u3"]
    expected = [key_of(row["item"]) for row in events][::-1]
    shop = read_shop(folder / "data")
    row = examples["all"].rows[shop.users.index("u3")]
    assert list(row[row[:, 0] >= 0, 0]) == expected[:16]
    minutes = [int(row["timestamp"]) // 60 for row in events][::-1]
    assert list(row[: len(minutes), 1]) == minutes[:16]


def test_the_newest_events_are_not_trained_on(folder, examples):
    shop = read_shop(folder / "data")
    last = shop.time[round(0.75 * len(shop.time)) - 1] // 60
    rows = examples["train"].rows
    assert rows[..., 1].max() == last < examples["all"].rows[..., 1].max()


def test_events_of_a_day_are_held_out_together(tmp_path):
    events = [(f"u{n % 5}", f"{n:03}", n // 10 * 86400) for n in range(40)]
    write_shop(tmp_path, [("000", "red mug")], events)
    found = Shops(16, 0.4)(str(tmp_path), "train")
    assert (found.rows[..., 0] >= 0).sum() == 20


def test_a_split_that_is_none_is_named(folder):
    config = tiny_config(folder / "data", **SMALL)
    decoder = load_modality("history").decoder(config)
    with pytest.raises(ValueError, match="train, all"):
        sources.load(
            "folder", "", "test", str(folder / "data"), decoder=decoder
        )


@pytest.mark.slow
def test_a_shop_is_pretrained(folder, examples):
    run = folder / "run"
    config = tiny_config(folder / "data", **SMALL)
    with eagerly():
        pretrain_build.pretraining(config, run).run(run)
    save_config(config, run)
    encoder = load_encoder(run)
    rows = examples["all"].take(np.arange(4))
    assert encoder.model(encoder.preprocessor(rows)).shape == (4, 8)
