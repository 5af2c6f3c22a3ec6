"""Write distill/tflite/schema.fbs, the layout of a TFLite file: `python -m scripts.generate.tflite_schema`.

The generated classes of ai-edge-litert are the source: every table with its fields, and of the enumerations the
operators, the element types and the unions. Run it after an update of ai-edge-litert that has new operators.
"""

import argparse
import importlib.util
import re
from pathlib import Path

from distill.files import write_bytes

HEADER = """\
// The TFLite file format, version 3. Written by scripts/generate/tflite_schema.py from the classes of ai-edge-litert,
// which are generated from tensorflow/compiler/mlir/lite/schema/schema.fbs (Apache-2.0). Fields of enumerations have
// their integer type.
"""
ENUMERATIONS = ("TensorType", "BuiltinOperator")
UNIONS = ("QuantizationDetails", "SparseIndexVector", "BuiltinOptions", "BuiltinOptions2")
SCALARS = {
    "Bool": "bool", "Int8": "byte", "Uint8": "ubyte", "Int16": "short", "Uint16": "ushort", "Int32": "int",
    "Uint32": "uint", "Int64": "long", "Uint64": "ulong", "Float32": "float", "Float64": "double",
}  # fmt: skip
# What flatbuffers' Python code does not tell.
ALIGNED = {("Buffer", "data"): " (force_align: 16)"}


def snake(name: str) -> str:
    """`dilationWFactor` -> `dilation_w_factor`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def members(source: str, name: str) -> dict[str, int]:
    """Return the values of an enumeration."""
    body = re.search(rf"^class {name}\(object\):\n((?:    \w+ = -?\d+\n)+)", source, re.MULTILINE)
    assert body is not None, name
    return {key: int(value) for key, value in re.findall(r"(\w+) = (-?\d+)", body[1])}


def type_of(source: str, table: str, name: str, scalar: str | None) -> str:
    """Return the type of a field as it is written in a schema."""
    if scalar is not None:
        return scalar
    camel = name[0].lower() + name[1:]
    union = re.search(rf"self\.{camel} = (\w+)Creator\(", source)
    if union:
        return union[1]
    body = re.search(rf"^class {table}\(object\):\n.*?\n    def {name}\(self.*?(?=\n    def |\nclass |\ndef )", source,
                     re.MULTILINE | re.DOTALL)  # fmt: skip
    assert body is not None, (table, name)
    accessor = body[0][body[0].rindex(f"def {name}(self") :]
    kind = re.search(r"number_types\.(\w+)Flags, a \+", accessor) or re.search(r"obj = (\w+)\(\)", accessor)
    item = SCALARS.get(kind[1], kind[1]) if kind else "string"
    return f"[{item}]" if f"def {table}Start{name}Vector(" in source else item


def table_text(source: str, table: str) -> str:
    """Return one table in the schema's language."""
    lines: list[str] = []
    slots = re.findall(rf"^def {table}Add(\w+)\(builder.*\n    builder\.Prepend(\w+?)Slot\((\d+), .*, (.+)\)", source,
                       re.MULTILINE)  # fmt: skip
    used = 0
    for name, written, slot, default in slots:
        lines += [f"  unused_{number}:int (deprecated);" for number in range(used, int(slot))]
        used = int(slot) + 1
        kind = type_of(source, table, name, SCALARS.get(written))
        if kind in UNIONS:
            lines.pop()  # the field of a union stands for two slots
        value = default.lower().replace("false", "0") if written in SCALARS else "0"
        text = f"  {snake(name)}:{kind}" + (f" = {value}" if value not in ("0", "0.0") else "")
        lines.append(f"{text}{ALIGNED.get((table, snake(name)), '')};")
    return "\n".join([f"table {table} {{", *lines, "}"])


def schema_text(source: str) -> str:
    """Return the schema of the classes in `source`."""
    parts = [HEADER]
    for name in ENUMERATIONS:
        values = ",\n".join(f"  {key} = {value}" for key, value in members(source, name).items())
        parts.append(f"enum {name} : int {{\n{values}\n}}")
    for name in UNIONS:
        found = members(source, name)
        assert list(found.values()) == list(range(len(found))), name
        parts.append(f"union {name} {{\n" + ",\n".join(f"  {key}" for key in found if key != "NONE") + "\n}")
    parts += [table_text(source, table) for table in re.findall(r"^def (\w+)Start\(builder\):", source, re.MULTILINE)]
    return "\n\n".join(parts) + '\n\nroot_type Model;\nfile_identifier "TFL3";\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("distill/tflite/schema.fbs"))
    args = parser.parse_args()
    found = importlib.util.find_spec("ai_edge_litert.schema_py_generated")
    assert found is not None
    assert found.origin is not None
    write_bytes(args.out, schema_text(Path(found.origin).read_text()).encode())


if __name__ == "__main__":
    main()
