"""Writes news lines with labels, and a stream of them with one surge.

    python -m tools.make_news news

Makes `news/sentiment/`, `news/topic/` and `news/stream.jsonl`.
"""

import json
import pathlib
import random
import sys

SUBJECTS = {
    "oil": ["crude futures", "the oil major", "refinery output", "a barrel"],
    "grain": ["wheat prices", "the grain trader", "the corn harvest", "maize"],
    "banks": [
        "the lender",
        "a savings bank",
        "loan growth",
        "the bank's bonds",
    ],
}
VERBS = {
    "bearish": ["fall sharply", "slump after a warning", "miss estimates"],
    "bullish": ["rise to a record", "beat estimates", "jump after results"],
    "neutral": ["open unchanged", "are to report on friday", "hold steady"],
}
WHEN = ["on monday", "in london", "in early trade", "this week", "in chicago"]
HOURS, AN_HOUR, SURGE = 48, 30, (40, "grain", 25)


def line(draws, topic: str, mood: str) -> str:
    """Makes a line of news."""
    parts = draws.choice(SUBJECTS[topic]), draws.choice(VERBS[mood])
    return " ".join([*parts, draws.choice(WHEN)])


def main(folder: str) -> None:
    """Writes all files into a folder."""
    draws, root = random.Random(0), pathlib.Path(folder)
    draw = lambda: (draws.choice([*SUBJECTS]), draws.choice([*VERBS]))  # noqa: E731
    for index, name in enumerate(("topic", "sentiment")):
        (root / name).mkdir(parents=True, exist_ok=True)
        for file, count in ("train.csv", 400), ("test.csv", 200):
            pairs = [draw() for _ in range(count)]
            rows = [f"{line(draws, *pair)},{pair[index]}\n" for pair in pairs]
            (root / name / file).write_text("text,label\n" + "".join(rows))
    with open(root / "stream.jsonl", "w") as stream:
        for hour in range(HOURS):
            pairs = [draw() for _ in range(AN_HOUR)]
            surge_hour, topic, count = SURGE
            pairs += [(topic, "bearish")] * (count * (hour == surge_hour))
            draws.shuffle(pairs)
            for n, pair in enumerate(pairs):
                row = {
                    "id": f"{hour}-{n}",
                    "time": 1_700_000_000 // 3600 * 3600 + hour * 3600 + n * 55,
                    "text": line(draws, *pair),
                }
                stream.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
