"""The card of an exported model, written from its run's own figures."""

from collections.abc import Mapping

from byol_tf.export.card_calls import how_to_call

_METHODS = {"sgd": "linear (SGD)", "logistic": "logistic regression"}


def model_card(about: Mapping) -> str:
    """Markdown on what a model is, what it reaches and how to call it.

    Args:
        about: what `export.json` holds, see `export_builders.export`.
    """
    sections = (
        ("What it is", _what(about)),
        ("Data and recipe", _recipe(about)),
        ("Results", _results(about["results"])),
        ("Export", _export(about["verification"])),
        ("Limits", _limits(about)),
        ("How to call it", how_to_call(about)),
    )
    parts = [f"# {about['title']}"]
    parts += [f"## {title}\n\n{text}" for title, text in sections]
    return "\n\n".join(parts) + "\n"


def _what(about):
    encoder = about["encoder"]
    text = (
        f"An encoder ({about['config']['encoder']['name']}, "
        f"{about['parameters']:,} parameters) that was pretrained without "
        f"labels by {about['method']}. It turns an image into a vector "
        f"of {encoder['features']} numbers; similar images get similar "
        "vectors (by cosine)."
    )
    if {"classify", "classifier.onnx"} & set(about["signatures"]):
        names = ", ".join(about["classes"])
        text += f" A fine-tuned classifier is included: {names}."
    return f"{text}\n\nSHA-256 of the encoder's file: `{encoder['sha256']}`."


def _recipe(about):
    config, train = about["config"], about["results"].get("train", {})
    rows = [
        ("Data", f"{about['data']} (fingerprint {about['data_fingerprint']})"),
        ("Image size", f"{about['encoder']['image_size']} pixels of a side"),
        ("Epochs", config["epochs"]),
        ("Batch size", config["batch_size"]),
        ("Optimizer", config["optimizer"]["name"]),
        ("Seed", config["seed"]),
        ("Images", train.get("images")),
        ("Training seconds", train.get("training_seconds")),
    ]
    rows = [f"| {name} | {value} |" for name, value in rows if value]
    return "\n".join(["| | |", "|---|---|", *rows])


def _results(results):
    texts = [
        _of_training(results.get("train", {})),
        _of_linear(results.get("eval_linear", {})),
        _of_fine_tuning(results.get("finetune", {})),
    ]
    texts = [text for text in texts if text]
    if not texts:
        return "The run folder holds no evaluation."
    return "\n\n".join(texts)


def _of_training(train):
    before = train.get("before", {}).get("knn_accuracy")
    after = train.get("after", {}).get("knn_accuracy")
    if before is None or after is None:
        return ""
    return (
        "The nearest neighbours of a test image among the training images "
        f"vote for its class: {_percent(after)} right after pretraining, "
        f"{_percent(before)} with the untrained encoder."
    )


def _of_linear(evaluated):
    rows = []
    for encoder, methods in evaluated.get("results", {}).items():
        for method, numbers in methods.items():
            name = _METHODS.get(method, method)
            accuracy = _percent(numbers["accuracy"])
            rows.append(f"| {encoder} | {name} | {accuracy} |")
    if not rows:
        return ""
    return "\n".join(
        [
            "What simple classifiers reach on the frozen vectors (test "
            "accuracy; the gain over the random encoder is what pretraining "
            "brought):",
            "",
            "| Encoder | Classifier | Accuracy |",
            "|---|---|---|",
            *rows,
        ]
    )


def _of_fine_tuning(tuned):
    rows = []
    for fraction, entry in tuned.get("fractions", {}).items():
        for variant, numbers in entry.get("variants", {}).items():
            mean = numbers.get("test", {}).get("mean")
            if mean is not None:
                rows.append(f"| {fraction} | {variant} | {mean:.4f} |")
    if not rows:
        return ""
    return "\n".join(
        [
            f"Fine-tuned on parts of the labels ({tuned.get('metric', '')} on "
            "the test images):",
            "",
            "| Labels | Variant | Score |",
            "|---|---|---|",
            *rows,
        ]
    )


def _export(verification):
    lines = []
    for name, numbers in verification["forms"].items():
        for kind, row in numbers["by_signature"].items():
            lines.append(
                f"- {name}, by {kind}: smallest cosine "
                f"{row['smallest_cosine']:.7f}, largest difference "
                f"{row['largest_difference']:.1e} of the largest value, "
                f"{row['images']} images"
            )
        if knn := numbers["knn"]:
            lines.append(
                f"- {name}: kNN accuracy {_percent(knn['exported'])}, "
                f"{_percent(knn['keras'])} before, on {knn['queries']} images"
            )
    return "\n".join(
        ["Compared with the model that it was made of:", "", *lines]
    )


def _limits(about):
    return (
        "- It knows what images like those of its data look like; on others "
        f"measure first.\n{_limits_of_format(about)}"
    )


def _limits_of_format(about):
    if about["format"] == "saved_model":
        return (
            "- Files are cut to their centre square and brought to "
            f"{about['image_size']} pixels of a side; what is outside is not "
            "seen.\n"
            "- WebP, and BMP with a palette or compression, are refused. An "
            "unreadable image fails alone: its row is NaN (probabilities 0) "
            "and its status says why.\n"
            "- Damage that an image format cannot notice stays unnoticed."
        )
    text = (
        "- It takes images, not files: decode them upright first, and divide "
        "by 255. All images of a batch have one size, any size. Their centre "
        "square is cut out and brought to "
        f"{about['encoder']['image_size']} pixels of a side inside, without "
        "smoothing: bring larger ones to about "
        f"{about['image_size']} pixels of a side first, as below.\n"
        "- It computes in float32, whatever precision the run was trained in."
    )
    if about["format"] == "litert":
        text += (
            "\n- A batch has one image at least. Other than the encoder, "
            "cutting and resizing are float32 in every file, as are inputs "
            "and outputs; the 8 bits of int8 were calibrated on images of "
            "the training data."
        )
    return text


def _percent(share):
    return f"{100 * share:.1f} %"
