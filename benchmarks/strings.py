"""Makes strings of words from recordings of single words, to recognise.

    python -m benchmarks.strings --data=$HOME/fsdd --out=strings --takes=20

`--data` holds one word a file and a `labels.csv` with the columns path,
label, split and speaker. A string is one to five recordings of one speaker,
with pauses of 50 to 300 ms, each up to 15 % faster or slower and up to 6 dB
louder or softer, in white noise. Training strings use `--takes` recordings of
each word, over all speakers (0: all). Test strings use all recordings of the
test split. Writes WAV files and `labels.csv`: path, text, speaker, split.
"""

import argparse
import csv
import pathlib
from collections import defaultdict

import numpy as np
import soundfile

COUNTS = {"train": 2000, "test": 300}
LONGEST = 5  # words of a string
HEAD = ["path", "text", "speaker", "split"]


def main() -> None:
    """Makes the folder that the command line names."""
    parser = argparse.ArgumentParser("python -m benchmarks.strings")
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--takes", type=int, default=0, help="of each word")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with open(options.data / "labels.csv", newline="") as file:
        table = list(csv.DictReader(file))
    rows = []
    for seed, (split, count) in enumerate(COUNTS.items()):
        rng = np.random.default_rng((options.seed, seed))
        recordings = [row for row in table if row["split"] == split]
        if split == "train" and options.takes:
            recordings = draw_takes(recordings, options.takes, rng)
        for number in range(count):
            path = options.out / split / f"{number:04}.wav"
            row = write(path, recordings, options.data, rng)
            rows.append([f"{split}/{path.name}", *row, split])
    with open(options.out / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])


def draw_takes(
    rows: list[dict], takes: int, rng: np.random.Generator
) -> list[dict]:
    """Draws `takes` recordings of each word."""
    by_word = defaultdict(list)
    for row in rows:
        by_word[row["label"]].append(row)
    return [
        words[place]
        for words in by_word.values()
        for place in rng.permutation(len(words))[:takes]
    ]


def write(path: pathlib.Path, rows: list[dict], folder: pathlib.Path, rng):
    """Writes one string of a drawn speaker; returns its text and speaker."""
    speaker = rng.choice(sorted({row["speaker"] for row in rows}))
    speaker_rows = [row for row in rows if row["speaker"] == speaker]
    word_rows = rng.choice(speaker_rows, rng.integers(1, LONGEST + 1))
    parts = []
    for row in word_rows:
        sound, rate = soundfile.read(folder / row["path"])
        speed = rng.uniform(0.85, 1.15)
        positions = np.arange(0, len(sound) - 1, speed)
        sound = np.interp(positions, np.arange(len(sound)), sound)
        pause = np.zeros(int(rng.uniform(0.05, 0.3) * rate))
        parts += [pause, sound * 10 ** (rng.uniform(-6, 6) / 20)]
    sound = np.concatenate([*parts, pause])
    sound = sound + rng.normal(scale=0.002, size=len(sound))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(sound, -1, 1), rate, "PCM_16")
    return " ".join(row["label"] for row in word_rows), speaker


if __name__ == "__main__":
    main()
