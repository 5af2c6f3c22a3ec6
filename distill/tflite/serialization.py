"""Read and write TFLite files as object models; no runtime and no TensorFlow is needed."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from distill.errors import CheckpointError
from distill.tflite.flatbuffer import IDENTIFIER, DamagedError, Fields, decode, encode
from distill.tflite.model import Buffer, Model, Operator, Quantization, Signature, SubGraph, Tensor
from distill.tflite.schema import value_name, value_number

# The first field of an operator's code has one byte; larger numbers stand in the second only.
_MAX_OLD_CODE = 127


def read_model(source: str | Path | bytes, name: str = "model") -> Model:
    """Read a TFLite file.

    Args:
        source: path or content of the file; constants are views of the content.
        name: what errors call a content; a path is called by itself.

    Raises:
        CheckpointError: missing, not a TFLite file, or a damaged one.
    """
    if isinstance(source, bytes):
        blob = source
    else:
        name = str(source)
        try:
            blob = Path(source).read_bytes()
        except OSError as error:
            raise CheckpointError(f"{name}: cannot be read ({error.strerror}); give a .tflite file") from error
    if blob[4:8] != IDENTIFIER:
        kind = "an HTML page" if blob.lstrip()[:1] == b"<" else f"{len(blob)} bytes without the TFL3 mark"
        raise CheckpointError(f"{name}: not a TFLite file ({kind}); export the model again or copy it in full")
    try:
        return _model(decode(blob), blob, name)
    except (DamagedError, IndexError) as error:
        raise CheckpointError(f"{name}: damaged TFLite file; export the model again or copy it in full") from error


def _model(root: Fields, blob: bytes, name: str) -> Model:
    buffers = [_outside(entry, "data", "offset", "size", blob) for entry in root.pop("buffers", ())]
    shared = [Buffer(data) if len(data) else None for data in buffers]
    codes = [_code(entry) for entry in root.pop("operator_codes", ())]
    graphs = [_graph(entry, codes, shared, blob) for entry in root.pop("subgraphs", ())]
    if not graphs:
        raise DamagedError
    notes = {entry.get("name", ""): bytes(buffers[entry.get("buffer", 0)]) for entry in root.pop("metadata", ())}
    signatures = [_signature(entry, graphs) for entry in root.pop("signature_defs", ())]
    root.pop("metadata_buffer", None)  # indices of buffers, superseded by `metadata`
    return Model(graphs, notes, signatures, root.pop("description", ""), name, len(blob), root)


def _outside(entry: Fields, inline: str, offset: str, size: str, blob: bytes) -> bytes | memoryview:
    """Take the content of a field that may lie behind the flatbuffer, as in files above 2 GB."""
    start, length = entry.pop(offset, 0), entry.pop(size, 0)
    content: bytes | memoryview = entry.pop(inline, b"")
    if start <= 1:
        return content
    if start + length > len(blob):
        raise DamagedError
    return memoryview(blob)[start : start + length]


def _code(entry: Fields) -> tuple[str, int]:
    # Two fields: files made before operator 127 existed have the first only, newer ones the larger of both.
    number = max(entry.get("deprecated_builtin_code", 0), entry.get("builtin_code", 0))
    name = value_name("BuiltinOperator", number)
    return (f"CUSTOM:{entry.get('custom_code', '')}" if name == "CUSTOM" else name), entry.get("version", 1)


def _graph(entry: Fields, codes: Sequence[tuple[str, int]], buffers: Sequence[Buffer | None], blob: bytes) -> SubGraph:
    tensors = [_tensor(fields, buffers) for fields in entry.pop("tensors", ())]

    def pick(indices: Iterable[int]) -> Iterator[Tensor | None]:
        for index in indices:
            if index < -1:
                raise DamagedError
            yield None if index == -1 else tensors[index]

    def present(fields: Fields, key: str) -> list[Tensor]:
        return [tensor for tensor in pick(fields.pop(key, ())) if tensor is not None]

    def operator(fields: Fields) -> Operator:
        op, version = codes[fields.pop("opcode_index", 0)]
        inputs, outputs = list(pick(fields.pop("inputs", ()))), present(fields, "outputs")
        between, options = present(fields, "intermediates"), fields.pop("builtin_options", None)
        custom = _outside(fields, "custom_options", "large_custom_options_offset", "large_custom_options_size", blob)
        extra = fields | ({"custom_options": custom} if len(custom) else {})
        return Operator(op, inputs, outputs, options, version, between, extra)

    inputs, outputs = present(entry, "inputs"), present(entry, "outputs")
    operators = [operator(fields) for fields in entry.pop("operators", ())]
    return SubGraph(inputs, outputs, operators, tensors, entry.pop("name", ""), entry)


def _tensor(entry: Fields, buffers: Sequence[Buffer | None]) -> Tensor:
    dtype, shape = value_name("TensorType", entry.pop("type", 0)), entry.pop("shape", ())
    number, quantization = entry.pop("buffer", 0), entry.pop("quantization", None)
    # Number 0 is the empty buffer, which a file without constants may lack.
    buffer = buffers[number] if number else None
    if quantization is not None:
        scale, zero = quantization.pop("scale", ()), quantization.pop("zero_point", ())
        quantization = Quantization(scale, zero, quantization.pop("quantized_dimension", 0), quantization)
    return Tensor(dtype, shape, entry.pop("name", ""), buffer, quantization, entry)


def _signature(entry: Fields, graphs: Sequence[SubGraph]) -> Signature:
    number = entry.get("subgraph_index", 0)
    tensors = graphs[number].tensors
    inputs, outputs = (
        {item.get("name", ""): tensors[item.get("tensor_index", 0)] for item in entry.get(side, ())}
        for side in ("inputs", "outputs")
    )
    return Signature(entry.get("signature_key", ""), inputs, outputs, number)


def write_model(model: Model) -> bytes:
    """Return the TFLite file of a model.

    Raises:
        CheckpointError: it was read from a file with options of a newer schema.
    """
    codes: dict[tuple[str, int], int] = {}
    buffers: dict[Buffer, int] = {Buffer(b""): 0}
    indices = [{tensor: index for index, tensor in enumerate(graph.all_tensors())} for graph in model.subgraphs]
    subgraphs = [
        _graph_fields(graph, numbers, codes, buffers) for graph, numbers in zip(model.subgraphs, indices, strict=True)
    ]
    metadata = [
        {"name": name, "buffer": buffers.setdefault(Buffer(content), len(buffers))}
        for name, content in model.metadata.items()
    ]
    root = model.extra | {
        "version": model.extra.get("version", 3),
        "operator_codes": [_code_fields(*code) for code in codes],
        "subgraphs": subgraphs,
        "description": model.description,
        "buffers": [{"data": buffer.data} if len(buffer.data) else {} for buffer in buffers],
        "metadata": metadata or None,
        "signature_defs": [_signature_fields(entry, indices[entry.subgraph]) for entry in model.signatures] or None,
    }
    return encode(root)


def _code_fields(op: str, version: int) -> Fields:
    name, _, custom = op.partition(":")
    number = value_number("BuiltinOperator", name)
    codes = {"deprecated_builtin_code": min(number, _MAX_OLD_CODE), "builtin_code": number, "version": version}
    return codes | {"custom_code": custom if name == "CUSTOM" else None}


def _graph_fields(
    graph: SubGraph, numbers: dict[Tensor, int], codes: dict[tuple[str, int], int], buffers: dict[Buffer, int]
) -> Fields:
    def tensor(item: Tensor) -> Fields:
        fields: Fields = {"shape": item.shape, "type": value_number("TensorType", item.dtype), "name": item.name}
        if item.buffer is not None:
            fields["buffer"] = buffers.setdefault(item.buffer, len(buffers))
        if (found := item.quantization) is not None:
            values = {"scale": found.scale, "zero_point": found.zero_point, "quantized_dimension": found.axis}
            fields["quantization"] = found.extra | {key: value for key, value in values.items() if value}
        return item.extra | fields

    def operator(item: Operator) -> Fields:
        return item.extra | {
            "opcode_index": codes.setdefault((item.op, item.version), len(codes)),
            "inputs": [-1 if each is None else numbers[each] for each in item.inputs],
            "outputs": [numbers[each] for each in item.outputs],
            "intermediates": [numbers[each] for each in item.intermediates] or None,
            "builtin_options": item.options,
        }

    return graph.extra | {
        "tensors": [tensor(item) for item in numbers],
        "inputs": [numbers[item] for item in graph.inputs],
        "outputs": [numbers[item] for item in graph.outputs],
        "operators": [operator(item) for item in graph.operators],
        "name": graph.name,
    }


def _signature_fields(entry: Signature, numbers: dict[Tensor, int]) -> Fields:
    sides = {
        side: [{"name": name, "tensor_index": numbers[tensor]} for name, tensor in named.items()]
        for side, named in (("inputs", entry.inputs), ("outputs", entry.outputs))
    }
    return {"signature_key": entry.key, "subgraph_index": entry.subgraph, **sides}
