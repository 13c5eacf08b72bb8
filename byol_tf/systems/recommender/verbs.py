"""The verbs of `byol_tf system recommender`."""

import dataclasses
import functools
import pathlib

from byol_tf.checks import check_integer, check_positive
from byol_tf.data.interactions import read_shop
from byol_tf.files import to_json, write_text
from byol_tf.lines import printable
from byol_tf.reports.report import format_table
from byol_tf.systems.recommender import answers, fitting, parts, web
from byol_tf.systems.recommender.judging import COLUMNS

_MAX_PRINTED = 20  # kinds of events in a line
RESULT, LISTS = "recommender.json", "lists.parquet"


def fit(config, data: str, run: str) -> None:
    """Tunes, tests and fits on a shop; writes the results into a run folder."""
    check_positive("share", config.share, 0.4)
    folder = pathlib.Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    shop = read_shop(data, dict(config.events))
    for line in shop.lines:
        print(f"Data: {line}")
    print(
        f"Data: {len(shop.time):,} events of {len(shop.users):,} users with "
        f"{len(shop.items):,} items"
    )
    if len(shop.kinds) > 1:
        shop = fitting.weigh(shop, config.share)
        weight_texts = [
            f"{printable(n) or 'other'} {w:g}" for n, w in shop.kinds.items()
        ]
        print(
            f"Weights of the events: {', '.join(weight_texts[:_MAX_PRINTED])}"
        )
    shop_parts = parts.parts_of(shop, folder, config.texts)
    if parts.BYOL not in shop_parts.methods:
        print(
            f"No encoder in {run}: BYOL of histories is left out; byol_tf "
            f"pretrain {data} {run} makes one"
        )
    plan, table = fitting.fit(shop_parts, config.share, config.seed)
    plan = dataclasses.replace(
        plan, texts=config.texts, events={**config.events, **shop.kinds}
    )
    parts.save(plan, folder)
    _write(table, folder)


def evaluate(config, data: str, run: str) -> None:
    """Tests again on the newest events, with the saved settings."""
    check_positive("share", config.share, 0.4)
    table = fitting.result_table(
        parts.load(data, run), config.share, config.seed
    )
    _write(table, pathlib.Path(run))


def recommend(
    config, data: str | None, run: str, text: str | None, history, out
) -> None:
    """Ranks items for a user, for a history, or for all users.

    Args:
        config: see `configs/recommender.py`.
        data: folder of the shop.
        run: folder of the recommender.
        text: id of a user; None: use `history`, or all users.
        history: ids of items, separated by commas; None: none.
        out: Parquet file for all users' lists; None: in the run folder.
    """
    if text is not None and history is not None:
        raise ValueError(
            f"give a user or --history, not both. Received: {text!r} and "
            f"{history!r}"
        )
    recommender = _load_answers(config, data, run)
    if text is None and history is None:
        path = pathlib.Path(out or pathlib.Path(run) / LISTS)
        count = answers.write_lists(recommender, path)
        print(f"Lists of {count:,} users: {path}")
        return
    items = history.split(",") if history else ()
    ranked, notes = (
        recommender.for_user(text) if text else recommender.for_history(items)
    )
    for line in (*notes, *ranked):
        print(line)


def serve(config, data: str | None, run: str, host: str, port: int) -> None:
    """Answers by REST until it is stopped."""
    load = functools.partial(_load_answers, config, data, run)
    web.serve(load, config.server, host, port)


def _load_answers(config, data, run):
    if not data:
        raise ValueError(
            "the shop's files are needed, for its histories; name their "
            "folder by --data=DIR"
        )
    check_integer("count", config.count, 1)
    mix = parts.load(data, run).mix()
    return answers.Answers(mix, config.count, config.again)


def _write(table, run):
    write_text(run / RESULT, to_json(table, indent=2))
    cells = [
        [name, *(f"{row[column]:.4f}" for column in COLUMNS)]
        for name, row in table.items()
    ]
    print(format_table(cells, ("method", *COLUMNS)))
    print(f"Table: {run / RESULT}")
