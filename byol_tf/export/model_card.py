"""Writes the card of an exported model from its run's own numbers."""

from collections.abc import Mapping

from byol_tf.lines import plural
from byol_tf.modalities.contract import Card

_TASKS = {"classify", "predict", "detect", "transcribe"}
_METHODS = {"sgd": "linear (SGD)", "logistic": "logistic regression"}


def model_card(about: Mapping, card: Card) -> str:
    """Returns Markdown on what a model is, its results and how to call it.

    Args:
        about: contents of `export.json`, see `jobs.export.build.export`.
        card: the modality's text.
    """
    sections = (
        ("What it is", _summary(about, card)),
        ("Data and recipe", _recipe(about, card)),
        ("Results", _results(about["results"])),
        ("Export", _export(about["verification"], card)),
        ("Limits", _limits(card)),
        ("How to call it", _how_to_call(about, card)),
    )
    parts = [f"# {about['title']}"]
    parts += [f"## {title}\n\n{text}" for title, text in sections]
    return "\n\n".join(parts) + "\n"


def _summary(about, card):
    encoder = about["encoder"]
    text = (
        f"An encoder ({about['config']['encoder']['name']}, "
        f"{about['parameters']:,} parameters) that was pretrained without "
        f"labels by {about['method']}. It turns every {card.noun} into "
        f"a vector of {encoder['features']} numbers; similar "
        f"{plural(card.noun)} get similar vectors (by cosine)."
    )
    if any(n in _TASKS or "classifier" in n for n in about["signatures"]):
        names = ", ".join(about["classes"])
        text += f" A fine-tuned model is included ({about['task']}): {names}."
        if about.get("whole_images"):
            text += " It sees the whole image, not only the centre square."
    return f"{text}\n\nSHA-256 of the encoder's file: `{encoder['sha256']}`."


def _recipe(about, card):
    config, train = about["config"], about["results"].get("train", {})
    size = about["encoder"]["image_size"]
    rows = [
        ("Data", f"{about['data']} (fingerprint {about['data_fingerprint']})"),
        ("Image size", size and f"{size} pixels of a side"),
        ("Epochs", config["epochs"]),
        ("Batch size", config["batch_size"]),
        ("Optimizer", config["optimizer"]["name"]),
        ("Seed", config["seed"]),
        (plural(card.noun).capitalize(), train.get("images")),
        ("Training seconds", train.get("training_seconds")),
    ]
    return _table(("", ""), [row for row in rows if row[1]])


def _results(results):
    texts = [
        _training_text(results.get("train", {})),
        _linear_text(results.get("eval_linear", {})),
        _fine_tuning_text(results.get("finetune", {})),
    ]
    texts = [text for text in texts if text]
    if not texts:
        return "The run folder holds no evaluation."
    return "\n\n".join(texts)


def _training_text(train):
    before = train.get("before", {}).get("knn_accuracy")
    after = train.get("after", {}).get("knn_accuracy")
    if before is None or after is None:
        return ""
    return (
        "The nearest neighbours of a test example among the training ones "
        f"vote for its class: {_percent(after)} right after pretraining, "
        f"{_percent(before)} with the untrained encoder."
    )


def _linear_text(results):
    rows = [
        (encoder, _METHODS.get(method, method), _percent(numbers["accuracy"]))
        for encoder, methods in results.get("results", {}).items()
        for method, numbers in methods.items()
    ]
    return rows and (
        "What simple classifiers reach on the frozen vectors (test accuracy; "
        "the gain over the random encoder is what pretraining brought):\n\n"
        + _table(("Encoder", "Classifier", "Accuracy"), rows)
    )


def _fine_tuning_text(results):
    rows = []
    for fraction, entry in results.get("fractions", {}).items():
        for variant, numbers in entry.get("variants", {}).items():
            mean = numbers.get("test", {}).get("mean")
            if mean is not None:
                rows.append((fraction, variant, f"{mean:.4f}"))
    return rows and (
        f"Fine-tuned on parts of the labels ({results.get('metric', '')} on "
        "the test examples):\n\n" + _table(("Labels", "Variant", "Score"), rows)
    )


def _export(verification, card):
    lines = []
    for name, numbers in verification["forms"].items():
        for kind, row in numbers["by_signature"].items():
            kind = plural(card.noun) if kind == "images" else kind
            lines.append(
                f"- {name}, by {kind}: smallest cosine "
                f"{row['smallest_cosine']:.7f}, largest difference "
                f"{row['largest_difference']:.1e} of the largest value, "
                f"{row['images']} examples"
            )
        if knn := numbers["knn"]:
            lines.append(
                f"- {name}: kNN accuracy {_percent(knn['exported'])}, "
                f"{_percent(knn['keras'])} before, on {knn['queries']} examples"
            )
        if metric := numbers.get("metric"):
            lines.append(
                f"- {name}: {metric['name']} {metric['exported']:.4f}, "
                f"{metric['keras']:.4f} before, on {metric['examples']} test "
                "examples"
            )
    return "Compared with the model that it was made of:\n\n" + "\n".join(lines)


def _limits(card):
    return (
        f"- It knows {plural(card.noun)} like those of its data; on others "
        f"measure first.\n{card.limits}"
    )


def _how_to_call(about, card):
    """Returns an example, and all inputs and outputs."""
    lines = []
    for name, description in about["signatures"].items():
        lines.append(f"- `{name}`")
        for section in ("inputs", "outputs"):
            for key, value in description[section].items():
                lines.append(f"    - {section[:-1]} `{key}`: {value}")
    return "\n".join([card.example, "", *lines])


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


def _percent(share):
    return f"{100 * share:.1f} %"
