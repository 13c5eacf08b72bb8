"""A folder of images to those worth a label."""

import csv

import pytest
from PIL import Image

from byol_tf.jobs.embed.run import embed_folder
from byol_tf.jobs.select.build import select
from configs import embed as configuration
from tests.support.embeddings import Pixels, pixel_encoder, save_image


@pytest.fixture(name="embedded")
def _embedded(tmp_path):
    """Embeddings of nine images."""
    for number in range(9):
        save_image(tmp_path / "images", f"sub{number % 3}/{number}.png", number)
    target = tmp_path / "embeddings.parquet"
    about = {"modality": "image"}
    encoder = pixel_encoder()
    folder = tmp_path / "images"
    embed_folder(encoder, folder, target, about, extract=Pixels())
    return target


def chosen(embedded, **options):
    out = embedded.with_name("selected.csv")
    done = select(configuration.get_config(), embedded, out, **options)
    with open(done.path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return done, rows


def test_paths_are_written_in_their_order_with_a_picture(embedded):
    done, rows = chosen(embedded, count=4)
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    folder = embedded.with_name("images")
    assert all((folder / row["path"]).is_file() for row in rows)
    assert len({row["path"] for row in rows}) == 4
    assert Image.open(done.picture).size[0] > 100


def test_images_with_a_label_are_not_chosen(embedded):
    table = embedded.with_name("labels.csv")
    table.write_text("path,label\nsub0/0.png,a\nsub1/1.png,b\nsub2/2.png,\n")
    done, rows = chosen(embedded, count=7, labels=table)
    paths = {row["path"] for row in rows}
    assert done.labelled == 2 and "sub2/2.png" in paths
    assert not paths & {"sub0/0.png", "sub1/1.png"}


def test_paths_of_the_labels_may_be_written_as_for_training(embedded):
    table = embedded.with_name("labels.csv")
    table.write_text("path,label\n./sub0/0.png,a\nimages/sub1/1.png,b\n")
    done, _ = chosen(embedded, count=7, labels=table)
    assert done.labelled == 2


def test_labels_of_other_files_are_refused(embedded):
    table = embedded.with_name("labels.csv")
    table.write_text("path,label\n0.png,a\n1.png,b\n")
    with pytest.raises(ValueError, match=r"no row of .*labels\.csv.*'sub0"):
        chosen(embedded, count=7, labels=table)


def test_a_table_of_splits_alone_labels_nothing(embedded):
    table = embedded.with_name("labels.csv")
    table.write_text("path,split\nsub0/0.png,train\n")
    done, _ = chosen(embedded, count=7, labels=table)
    assert done.labelled == 0
