"""What the server prints once it listens."""

import base64
import os

from byol_tf.serving.model import DEFAULT, tiny_png
from byol_tf.serving.service import Service


def listing(
    service: Service,
    directory: str | os.PathLike,
    rest: str,
    grpc: str | None,
) -> str:
    """Lines on the model, where it is served, and a command that asks it.

    Args:
        service: with a version.
        directory: of the model.
        rest: host and port.
        grpc: the same, or None.
    """
    version = service.versions.newest
    lines = [
        f"Model:  {service.name}, version {version.number} of {directory}",
        *(_signature(s) for _, s in sorted(version.signatures.items())),
        f"REST:   http://{rest}/v1/models/{service.name}",
    ]
    if grpc is not None:
        lines.append(f"gRPC:   {grpc}")
    lines.append(f"Health: http://{rest}/healthz /readyz /metrics")
    url = f"http://{rest}/v1/models/{service.name}"
    default = version.signatures.get(DEFAULT)
    if default is not None and default.takes_files:
        image = base64.b64encode(tiny_png()).decode()
        data = f'\'{{"instances": [{{"b64": "{image}"}}]}}\''
        lines.append(f"Try:    curl {url}:predict -d {data}")
    else:
        lines.append(f"Try:    curl {url}/metadata")
    return "\n".join(lines)


def _signature(signature):
    inputs, outputs = (
        ", ".join(_spec(*item) for item in sorted(specs.items()))
        for specs in (signature.inputs, signature.outputs)
    )
    return f"  {signature.name}: {inputs} -> {outputs}"


def _spec(name, spec):
    if spec.shape is None:
        return f"{name} {spec.dtype.name}"
    lengths = ", ".join("n" if n == -1 else str(n) for n in spec.shape)
    return f"{name} {spec.dtype.name} [{lengths}]"
