"""Makes a folder of spoken words, for experiments.

    python -m tools.make_words words
    python -m tools.make_words sentences --longest=4

Words are spoken by espeak-ng if it is installed, else by a small synthesizer of
harmonics, formants and noises, which sounds like a robot. Voices differ in
pitch, height of formants and speed. The last voice is only in the test split.
Writes WAV files of 16 kHz and `labels.csv`: path, label, text, speaker, split.
"""

import argparse
import csv
import pathlib
import shutil
import subprocess
import tempfile
import wave

import numpy as np

RATE = 16_000
WORDS = "zero,one,two,three,four,five,six,seven,eight,nine"
# First three formants of vowels, in Hz.
VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (300, 2250, 3000),
    "o": (500, 900, 2500),
    "u": (320, 800, 2300),
}
# Voiced consonants: formants, and how loud.
VOICED = {
    **{"m": ((250, 1100, 2200), 0.3), "n": ((280, 1600, 2500), 0.3)},
    **{"l": ((380, 1150, 2700), 0.5), "r": ((330, 1250, 1600), 0.5)},
    **{"w": ((300, 650, 2200), 0.4), "y": ((280, 2200, 2900), 0.5)},
}
# Noises: middle and width of the band in Hz, seconds, and how loud.
NOISES = {
    **{"s": (5500, 1200, 0.09, 0.2), "z": (5000, 1200, 0.07, 0.15)},
    **{"f": (4000, 2500, 0.08, 0.08), "v": (3500, 2500, 0.05, 0.08)},
    **{"h": (1500, 1200, 0.06, 0.08), "x": (5200, 1500, 0.1, 0.2)},
    **{"t": (4500, 1500, 0.03, 0.25), "d": (3500, 1500, 0.03, 0.2)},
    **{"k": (2200, 800, 0.03, 0.25), "g": (1800, 700, 0.03, 0.2)},
    **{"p": (900, 600, 0.03, 0.2), "b": (700, 500, 0.03, 0.2)},
}
STOPS = "tdkgpb"  # silence comes before them


def main() -> None:
    """Makes the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--words", default=WORDS, help="with commas")
    parser.add_argument("--count", type=int, default=300, help="sounds")
    parser.add_argument("--longest", type=int, default=1, help="words a sound")
    parser.add_argument("--speakers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--robot", action="store_true", help="no espeak-ng")
    options = parser.parse_args()
    if options.folder.is_dir() and any(options.folder.iterdir()):
        parser.error(f"{options.folder} is not empty; name a new folder")
    espeak = None if options.robot else shutil.which("espeak-ng")
    rows = make(options, espeak)
    voice = "espeak-ng" if espeak else "the built-in robot"
    print(f"{len(rows)} sounds spoken by {voice}: {options.folder}")


def make(options: argparse.Namespace, espeak: str | None) -> list[list[str]]:
    """Writes all sounds and `labels.csv`; returns its rows."""
    rng = np.random.default_rng(options.seed)
    words, rows = options.words.split(","), []
    for number in range(options.count):
        speaker = number % options.speakers
        held_out = speaker == options.speakers - 1
        chosen_words = rng.choice(words, rng.integers(1, options.longest + 1))
        text = " ".join(chosen_words)
        sound = say(text, speaker, rng, espeak)
        split = "test" if held_out or rng.random() < 0.1 else "train"
        path = f"{split}/{number:04}.wav"
        write(options.folder / path, sound)
        label = text if options.longest == 1 else ""
        rows.append([path, label, text, f"s{speaker + 1}", split])
    with open(options.folder / "labels.csv", "w", newline="") as file:
        header = ["path", "label", "text", "speaker", "split"]
        csv.writer(file).writerows([header, *rows])
    return rows


def say(text: str, speaker: int, rng, espeak: str | None) -> np.ndarray:
    """Speaks a text; returns float64 `[samples]`, with a little noise."""
    sound = _espeak(text, speaker, rng, espeak) if espeak else None
    if sound is None:
        gaps = [np.zeros(int(rng.uniform(0.06, 0.15) * RATE)) for _ in "ab"]
        parts = [_speak(word, speaker, rng) for word in text.split()]
        sound = np.concatenate(
            [gaps[0], *(x for part in parts for x in (part, gaps[1]))]
        )
    sound = sound / max(np.abs(sound).max(), 1e-6) * rng.uniform(0.2, 0.6)
    return sound + rng.normal(scale=0.002, size=len(sound))


def write(path: pathlib.Path, sound: np.ndarray) -> None:
    """Writes a WAV file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.int16(32_767 * np.clip(sound, -1, 1)).tobytes())


def _espeak(text, speaker, rng, program):
    voices = ("m1", "f2", "m3", "f4", "m5", "f1", "m7", "f3")
    pitch = int(np.clip(35 + 7 * (speaker % 6) + rng.normal(scale=3), 0, 99))
    speed = int(150 + 8 * (speaker % 5) + rng.normal(scale=10))
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/a.wav"
        voice = f"en-us+{voices[speaker % len(voices)]}"
        flags = ["-v", voice, "-p", str(pitch), "-s", str(speed), "-w", target]
        subprocess.run([program, *flags, text], check=True)
        with wave.open(target) as file:
            rate = file.getframerate()
            data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    positions = np.arange(0, len(data), rate / RATE)
    return np.interp(positions, np.arange(len(data)), data)


def _speak(word, speaker, rng):
    """Speaks a word letter by letter, with fades between them."""
    height = 0.85 + 0.08 * (speaker % 5)
    pitch = 95 + 25 * (speaker % 6) + rng.normal(scale=5)
    speed = rng.uniform(0.85, 1.15)
    sound = np.zeros(0)
    for letter in word:
        part = _letter(letter, height, pitch, rng) if letter.isalpha() else []
        if len(part):
            part = np.interp(
                np.arange(0, len(part) - 1, speed), np.arange(len(part)), part
            )
            sound = _joined(sound, part)
    return sound


def _letter(letter, height, pitch, rng):
    if letter in NOISES:
        middle, width, seconds, loudness = NOISES[letter]
        noise = _noise(middle * height, width, seconds, loudness, rng)
        pause = np.zeros(int(0.04 * RATE) if letter in STOPS else 0)
        return np.concatenate([pause, noise])
    if letter in VOICED:
        formants, loudness = VOICED[letter]
        return loudness * _voiced(formants, height, pitch, 0.07, rng)
    formants = VOWELS.get(letter, VOWELS["e"])
    return _voiced(formants, height, pitch, rng.uniform(0.11, 0.15), rng)


def _voiced(formants, height, pitch, seconds, rng):
    """Makes harmonics of a falling pitch under three formants."""
    time = np.arange(int(seconds * RATE)) / RATE
    fall = pitch * (1 - 0.15 * time / seconds)
    phase = 2 * np.pi * np.cumsum(fall) / RATE + rng.uniform(0, 6)
    numbers = np.arange(1, int(4000 / pitch))[:, None]
    hertz = numbers * pitch
    loudness = sum(
        weight / (1 + ((hertz - formant * height) / 90) ** 2)
        for formant, weight in zip(formants, (1, 0.6, 0.3), strict=True)
    )
    return (loudness * np.sin(numbers * phase)).sum(axis=0)


def _noise(middle, width, seconds, loudness, rng):
    noise = rng.normal(size=int(seconds * RATE))
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    band = np.exp(-(((hertz - middle) / width) ** 2))
    noise = np.fft.irfft(np.fft.rfft(noise) * band, len(noise))
    return loudness * noise / max(noise.std(), 1e-9)


def _joined(sound, added, seconds=0.012):
    """Joins two sounds with a fade."""
    count = min(int(seconds * RATE), len(sound), len(added))
    if not count:
        return np.concatenate([sound, added])
    fade = np.linspace(0, 1, count)
    overlap = sound[-count:] * (1 - fade) + added[:count] * fade
    return np.concatenate([sound[:-count], overlap, added[count:]])


if __name__ == "__main__":
    main()
