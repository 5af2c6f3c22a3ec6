import pytest

from distill.errors import ConfigError
from distill.export.config import QuantizeConfig
from distill.export.pipeline import ExportResult
from distill.export.quantize import decoder_of, ends_of, float_operators, stem_of
from distill.tflite.model import Operator, Tensor
from distill.tflite.serialization import read_model
from distill.tflite.weight_quantization import quantize_weights

NOTHING = QuantizeConfig(float_modules=[], hybrid_modules=["body"], float_ops=[], float_statistics=False)


def node(op: str, shape: tuple[int, ...], module: str, *sources: tuple[Operator, str]) -> tuple[Operator, str]:
    """An operator, the results it reads, and the module it comes from."""
    return Operator(op, [source.outputs[0] for source, _ in sources], [Tensor("FLOAT32", shape)]), module


def heatmap_net() -> list[tuple[Operator, str]]:
    body = node("CONV_2D", (1, 8, 8, 16), "body")
    maps = node("CONV_2D", (1, 8, 8, 51), "head.heatmap", body)
    squares = node("MUL", (1, 8, 8, 51), "head", maps, maps)
    mass = node("MEAN", (1, 1, 1, 51), "head.norm", squares)
    sums = node("BATCH_MATMUL", (1, 51, 2), "", squares)
    return [body, maps, squares, mass, sums, node("DIV", (1, 51, 2), "", sums, mass)]


def regression_net() -> list[tuple[Operator, str]]:
    body = node("CONV_2D", (1, 1, 1, 64), "body")
    flat = node("RESHAPE", (1, 64), "", body)
    hidden = node("FULLY_CONNECTED", (1, 32), "head.layers.0", flat)
    points = node("FULLY_CONNECTED", (1, 102), "head.points", hidden)
    return [body, flat, hidden, points, node("RESHAPE", (1, 51, 2), "", points)]


def in_floats(nodes: list[tuple[Operator, str]], config: QuantizeConfig, mode: str) -> list[tuple[str, str]]:
    """Return (operator, module) of what stays in floats."""
    operators, modules = [node for node, _ in nodes], [module for _, module in nodes]
    kept = float_operators(operators, modules, config, mode)
    return [(node.op, module) for node, module in nodes if node in kept]


def test_no_configuration_puts_the_decoder_into_integers() -> None:
    """With random weights that was 110 px."""
    assert [op for op, _ in in_floats(heatmap_net(), NOTHING, "int8")] == ["MUL", "MEAN", "BATCH_MATMUL", "DIV"]


def test_the_layer_that_gives_coordinates_is_part_of_the_decoder() -> None:
    """In 8 bits its result has steps of 1/256 of the crop."""
    operators = [operator for operator, _ in regression_net()]
    assert decoder_of(operators) == set(operators[3:])


def test_the_ends_reach_back_to_the_last_layers_of_every_output() -> None:
    maps = [Tensor("FLOAT32", (1, side, side, 4)) for side in (8, 4)]
    body = Operator("CONV_2D", [Tensor("FLOAT32", (1, 8, 8, 3))], [maps[0]])
    coarse = Operator("CONV_2D", [maps[0]], [maps[1]])
    heads = [Operator("CONV_2D", [given], [Tensor("FLOAT32", given.shape)]) for given in maps]
    joined = Operator("CONCATENATION", [head.outputs[0] for head in heads], [Tensor("FLOAT32", (80, 4))])
    raised = Operator("EXP", [joined.outputs[0]], [Tensor("FLOAT32", (80, 4))])
    assert ends_of([body, coarse, *heads, joined, raised]) == {*heads, joined, raised}
    assert ends_of([body, coarse, *heads]) == set(heads), "where the maps are the outputs"


def test_the_stem_ends_with_the_first_layer_and_has_what_is_computed_from_the_image_alone() -> None:
    image = Tensor("FLOAT32", (1, 16, 16, 3))
    shifted = Operator("CONV_2D", [image], [Tensor("FLOAT32", (1, 16, 16, 3))])  # a subtraction, by layer
    constant = Operator("DEQUANTIZE", [Tensor("FLOAT16", (4,))], [Tensor("FLOAT32", (4,))])
    padded = Operator("PAD", [shifted.outputs[0]], [Tensor("FLOAT32", (1, 18, 18, 3))])
    first = Operator("CONV_2D", [padded.outputs[0], constant.outputs[0]], [Tensor("FLOAT32", (1, 8, 8, 4))])
    second = Operator("CONV_2D", [first.outputs[0]], [Tensor("FLOAT32", (1, 8, 8, 4))])
    assert stem_of([shifted, constant, padded, first, second], image) == [shifted, padded, first]


def test_modules_are_matched_whole_and_hybrids_keep_more() -> None:
    config = QuantizeConfig(float_modules=["head"], hybrid_modules=["body"], float_ops=[], float_statistics=False)
    assert "head.heatmap" not in {module for _, module in in_floats(heatmap_net(), config, "int8")}
    hybrid = {module for _, module in in_floats(heatmap_net(), config, "int8_hybrid")}
    assert hybrid == {"body", "head", "head.norm", ""}


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'head\(' is not a regular expression"):
        QuantizeConfig(float_modules=["head("])


def test_means_are_in_floats_by_default() -> None:
    """An 8-bit MEAN of squares is the largest value of its output in LiteRT 2.3.0 on x86 with AVX2."""
    body = node("CONV_2D", (1, 8, 8, 16), "body")
    squares = node("MUL", (1, 8, 8, 16), "body.norm", body, body)
    mean = node("MEAN", (1, 1, 1, 1), "body.norm", squares)
    nodes = [body, squares, mean, node("CONV_2D", (1, 8, 8, 2), "head", mean)]
    assert ("MEAN", "body.norm") in in_floats(nodes, QuantizeConfig(float_modules=[], hybrid_modules=[]), "int8")
    assert ("MUL", "body.norm") not in in_floats(nodes, QuantizeConfig(float_modules=[], hybrid_modules=[]), "int8")


def operators_of(exported: ExportResult, mode: str) -> list[Operator]:
    return read_model(exported.files[mode]).operators


@pytest.mark.parametrize(("mode", "integer"), [("int8", "INT8"), ("int8_hybrid", "INT8"), ("int16x8", "INT16")])
def test_the_convolutions_are_integers_and_the_decoder_is_not(exported: ExportResult, mode: str, integer: str) -> None:
    operators = operators_of(exported, mode)
    convolutions = [operator.outputs[0].dtype for operator in operators if "CONV_2D" in operator.op]
    assert convolutions.count(integer) > 40
    decoders = [operator for operator in operators if operator.op in ("BATCH_MATMUL", "DIV", "RSQRT", "SOFTMAX")]
    assert {tensor.dtype for operator in decoders for tensor in operator.outputs} == {"FLOAT32"}


def test_hybrids_keep_more_in_floats(exported: ExportResult) -> None:
    def floats(mode: str) -> int:
        return sum(op.outputs[0].dtype == "FLOAT32" for op in operators_of(exported, mode) if "CONV" in op.op)

    assert floats("int8_hybrid") > floats("int8")


@pytest.mark.parametrize("mode", ["int8", "int8_hybrid", "int16x8"])
def test_weights_that_compute_in_floats_are_stored_in_8_bits(exported: ExportResult, mode: str) -> None:
    """EFLD's last layer alone made its int8 file 0.28 MB instead of 0.17 MB."""
    again = read_model(quantize_weights(exported.files[mode].read_bytes()))
    assert len(again.operators) == len(operators_of(exported, mode))


def test_random_weights_stay_within_a_pixel(exported: ExportResult) -> None:
    """The network whose int8 decoder was 110 px off, at a quarter of the size."""
    results = {result.name: result for result in exported.parity.results}
    for mode in ("w8", "dynamic", "int8_hybrid", "int8", "int16x8"):
        own = [result.mean_px for name, result in results.items() if name.startswith(f"{mode} on")]
        assert own
        assert max(own) < 1, (mode, own)


def test_every_runtime_computes_the_same_integers(exported: ExportResult) -> None:
    """LiteRT 2.1 multiplied 8-bit matrices wrongly; the delegate of TensorFlow 2.19 refuses some 8-bit weights."""
    for mode in ("w8", "int8", "int16x8"):
        found = [result.mean_px for result in exported.parity.results if result.name.startswith(f"{mode} on")]
        assert max(found) - min(found) < 0.2, (mode, found)


def test_what_the_network_declares_is_the_default_and_a_given_list_wins() -> None:
    class Net:
        float_modules = ("head",)
        hybrid_modules = ("neck",)

    assert QuantizeConfig().for_network(Net()).modules("int8_hybrid") == ["head", "neck"]
    assert QuantizeConfig(float_modules=[]).for_network(Net()).modules("int8") == []
    assert QuantizeConfig().for_network(object()).modules("int8_hybrid") == []
