"""Who may import whom: nothing points up."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "byol_tf"

# From the ground up; a module imports only from below its own storey.
STOREYS = [
    {"lines"},
    {"replicas", "distribution", "runtime", "winograd",
     "augment.layer", "augment.ops"},
    {"overrides", "evaluation.alignment", "tuning.correlation",
     "objectives", "ema", "schedules", "seeds", "optimizers", "layers",
     "convolution", "normalization", "models.outputs",
     "official.allowed", "official.architecture",
     "faults", "interruption", "pretraining_settings", "flops", "scaling",
     "extras", "serving.form", "serving.quiet", "serving.card_calls",
     "files", "checks", "progress", "cli", "data.decode",
     "data.images", "augment.geometry", "augment.sampling",
     "evaluation.knn", "evaluation.linear", "evaluation.collapse",
     "evaluation.features", "evaluation.accuracy", "data.label_table",
     "evaluation.average_precision", "evaluation.keypoint_accuracy",
     "serving.server.errors", "serving.server.image_header",
     "serving.server.metrics"},
    {"recipe", "utilisation",
     "child_runs", "comparison.plan", "tuning.space", "tuning.label_free",
     "augment.view", "augment.centre", "models.heads", "contrastive",
     "decorrelation", "evaluation.fewshot",
     "data.store", "data.bad_images", "evaluation.drawing", "run_config",
     "evaluation.selection", "evaluation.feature_cache",
     "search.table",
     "augment.supervised", "data.centre_square", "tasks.task", "tasks.known",
     "serving.server.settings", "serving.server.model",
     "finetune_settings", "serving.decode", "serving.fold",
     "serving.model_card",
     "official.unpickle", "serving.join_litert"},
    {"official.checkpoint", "comparison.plots", "tuning.plots",
     "models.pretrainer",
     "augment.views", "models.resnet", "models.adapters", "data.arrays",
     "data.folder", "data.tfds", "data.pipeline", "evaluation.summary",
     "evaluation.grids", "evaluation.plots", "evaluation.confusion",
     "evaluation.logistic", "evaluation.linear_probe",
     "search.parts", "search.index", "search.sheet",
     "tasks.classification", "tasks.multilabel", "tasks.regression",
     "serving.server.versions", "serving.server.rest_json",
     "serving.server.batching", "serving.server.limits",
     "tasks.keypoints", "label_fractions", "finetuner",
     "serving.signatures"},
    {"official.conversion",
     "search.embedding", "search.duplicates", "search.map",
     "models.byol", "models.joint", "models.simsiam",
     "data.sources", "data.service", "evaluation.pictures",
     "evaluation.report", "checkpoints", "training", "monitors", "logs",
     "serving.server.protos", "serving.server.service",
     "encoders", "linear_settings", "tasks.registry", "finetune_fit",
     "serving.verify", "serving.saved_model", "serving.freeze"},
    {"comparison.results", "tuning.trials", "tuning.results",
     "serving.server.grpc_service", "serving.server.rest",
     "serving.server.listing",
     "fault_monitor",
     "models.moco_v3",
     "reporting", "linear_results", "watch", "finetune_results",
     "prediction", "serving.to_onnx", "serving.to_litert",
     "serving.verify_table"},
    {"resumable", "comparison.comparison", "tuning.search"},
    {"serving.server.server",
     "objective_builders", "data_builders",
     "pretraining", "linear_evaluation", "finetuning", "serving.formats"},
    {"builders", "serve_builders", "convert_builders"},
    {"evaluation_builders", "compare_builders"},
    {"finetune_builders", "export_builders", "embed_builders",
     "tune_builders"},
]  # fmt: skip


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.endswith("__init__"):
            yield name, path


def storey(module):
    return next(
        (level for level, names in enumerate(STOREYS) if module in names), None
    )


def imports(path):
    """Modules of the package, and names of others, that a file imports."""
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            outside |= {alias.name for alias in node.names}
        if not isinstance(node, ast.ImportFrom):
            continue
        if not (node.module or "").startswith("byol_tf"):
            outside.add(node.module or "")
            continue
        base = node.module.removeprefix("byol_tf").removeprefix(".")
        for alias in node.names:
            full = f"{base}.{alias.name}".strip(".")
            inside.add(full if storey(full) is not None else base)
    return inside, outside


@pytest.mark.parametrize("name,path", list(modules()))
def test_imports_point_down(name, path):
    assert storey(name) is not None, f"give {name} a storey"
    for imported in imports(path)[0]:
        assert storey(imported) is not None, f"{name} imports {imported}"
        assert storey(imported) < storey(name), f"{name} imports {imported}"


@pytest.mark.parametrize("name,path", list(modules()))
def test_only_builders_know_configurations(name, path):
    outside = {module.split(".")[0] for module in imports(path)[1]}
    if name not in ("builders", "run_config"):
        assert not outside & {"ml_collections", "yaml", "configs"}


@pytest.mark.parametrize("name,path", list(modules()))
def test_no_module_but_the_door_reads_flags_or_environment(name, path):
    text = path.read_text()
    assert "os.environ" not in text and "getenv" not in text
    if name != "cli":
        assert "absl.flags" not in text and "import flags" not in text


def test_the_algorithm_knows_nothing_of_images():
    methods = ["byol", "joint", "moco_v3", "pretrainer", "simsiam"]
    names = ["objectives", "contrastive", "decorrelation", "training"]
    names += ["monitors", "ema", *(f"models/{name}" for name in methods)]
    for name in names:
        inside, _ = imports(PACKAGE / f"{name}.py")
        assert not any(
            module.startswith(("augment", "data")) for module in inside
        )
