"""A stream of news as JSON lines."""

import json


def write_news(path, counts, hour_text="{}"):
    """Writes `counts[hour]` negative texts on oil for each hour."""
    with open(path, "w") as file:
        for hour, count in enumerate(counts):
            for n in range(count):
                text = (
                    f"crude barrel falls sharply {hour_text.format(hour)} {n}"
                )
                row = {"text": text, "time": hour * 3600 + n}
                file.write(json.dumps(row) + "\n")
