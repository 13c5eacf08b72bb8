"""Subtitles as players read them."""

from byol_tf.runs.subtitles import clock, write_subtitles


def row(start, end, text):
    return {"start": start, "end": end, "text": text}


def test_cues_are_numbered_and_timed(tmp_path):
    rows = [("a.wav", row(0.0, 1.5, "one two")), ("a.wav", row(2, 3, ""))]
    rows.append(("a.wav", row(3661.0, 3662.0406, "早上")))
    write_subtitles(tmp_path / "a.srt", rows)
    assert (tmp_path / "a.srt").read_text(encoding="utf-8") == (
        "1\n00:00:00,000 --> 00:00:01,500\none two\n\n"
        "2\n01:01:01,000 --> 01:01:02,041\n早上\n"
    )


def test_texts_of_several_sounds_say_of_which(tmp_path):
    rows = [(name, row(0, 1, "x")) for name in ("a.wav", "b/c.wav")]
    write_subtitles(tmp_path / "a.srt", rows)
    lines = (tmp_path / "a.srt").read_text().splitlines()
    assert lines[2] == "[a.wav] x" and lines[6] == "[b/c.wav] x"


def test_thousandths_are_carried():
    assert clock(59.9996) == "00:01:00,000"
