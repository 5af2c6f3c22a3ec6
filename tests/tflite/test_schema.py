"""schema.fbs is that of ai-edge-litert; tests/tflite/test_serialization.py compares files."""

import pytest

from distill.tflite.schema import SCALARS, builtin_operators, schema, value_name, value_number


@pytest.mark.parametrize("enum", ["BuiltinOperator", "TensorType"])
def test_operators_and_types_are_those_of_the_runtime(enum: str) -> None:
    """A release of ai-edge-litert with new ones needs `python -m scripts.generate.tflite_schema`."""
    from ai_edge_litert import schema_py_generated as generated

    values = {name: value for name, value in vars(getattr(generated, enum)).items() if isinstance(value, int)}
    assert schema().enums[enum] == values
    assert all(value_number(enum, value_name(enum, value)) == value for value in (*values.values(), 900))


def test_every_type_of_a_field_is_described() -> None:
    known = {*SCALARS, "string", *schema().tables, *schema().unions}
    assert {field.type for fields in schema().tables.values() for field in fields.values()} <= known
    assert {name for names in schema().unions.values() for name in names} <= set(schema().tables)


def test_a_union_takes_two_slots_and_a_deprecated_field_one() -> None:
    assert [(name, field.slot) for name, field in schema().tables["Operator"].items()][3:6] == [
        ("builtin_options_type", 3), ("builtin_options", 4), ("custom_options", 5),
    ]  # fmt: skip
    assert schema().tables["ResizeBilinearOptions"]["align_corners"].slot == 2


def test_codes_that_stand_for_something_else_are_no_operators() -> None:
    assert {"CUSTOM", "DELEGATE"}.isdisjoint(builtin_operators())
    assert "CONV_2D" in builtin_operators()
