"""Two LiteRT models, one after the other, as one."""

from byol_tf.extras import require

EXTRA = "litert"  # of this package
_IDENTIFIER = b"TFL3"  # at the start of every file of the format


def join(first: bytes, second: bytes) -> bytes:
    """One model that gives to the second what the first one returns.

    Quantised whole, the arithmetic of where to cut an image would be rounded
    to 8 bits too, and the images would be of nothing. Joined, each part keeps
    the precision that it was converted to.

    Args:
        first: a model file of one input and one output.
        second: another one, of one input that fits.

    Returns:
        A model file with the first one's input and the second one's output,
        also in its signature.
    """
    schema = require("ai_edge_litert.schema_py_generated", EXTRA)
    flatbuffers = require("flatbuffers", EXTRA)
    head = schema.ModelT.InitFromPackedBuf(first)
    tail = schema.ModelT.InitFromPackedBuf(second)
    (graph,), (added,) = head.subgraphs, tail.subgraphs
    _shift(added, head, graph)
    (link,), (taken,) = graph.outputs, added.inputs
    for operator in added.operators:
        operator.inputs = [link if i == taken else i for i in operator.inputs]
    head.operatorCodes += tail.operatorCodes
    head.buffers += tail.buffers
    graph.tensors += added.tensors
    graph.operators += added.operators
    graph.outputs = added.outputs
    (signature,), (last,) = head.signatureDefs, tail.signatureDefs
    signature.outputs = last.outputs
    for output in signature.outputs:
        (output.tensorIndex,) = added.outputs
    builder = flatbuffers.Builder(len(first) + len(second))
    builder.Finish(head.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _shift(added, head, graph):
    """Numbers everything of the second model after that of the first."""
    tensors, buffers = len(graph.tensors), len(head.buffers)
    codes = len(head.operatorCodes)

    def moved(indices):
        # -1 stands for an input that is left out.
        return [i if i < 0 else int(i) + tensors for i in indices]

    for tensor in added.tensors:
        tensor.buffer += buffers
    for operator in added.operators:
        operator.opcodeIndex += codes
        for field in ("inputs", "outputs", "intermediates"):
            if (indices := getattr(operator, field)) is not None:
                setattr(operator, field, moved(indices))
    added.inputs, added.outputs = moved(added.inputs), moved(added.outputs)
