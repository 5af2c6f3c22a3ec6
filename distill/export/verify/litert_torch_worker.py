"""Convert a saved torch program with litert-torch: `litert_torch_worker.py PROGRAM.pt2 OUT.tflite`.

Run by path, not imported: the Python that runs it has litert-torch but not this package. It prints one line and exits
with status 3 when the conversion fails.
"""

import sys


def convert(program: str, target: str) -> None:
    """Read a program with one image as input and write the TFLite file."""
    # The folder of this program comes first on the path, where its neighbours could be imported instead of packages.
    del sys.path[0]
    import litert_torch
    import torch

    loaded = torch.export.load(program)
    (name,) = loaded.graph_signature.user_inputs
    shape = next(node.meta["val"].shape for node in loaded.graph.nodes if node.name == name)
    litert_torch.convert(loaded.module(), (torch.zeros(tuple(shape)),)).export(target)


if __name__ == "__main__":
    try:
        convert(sys.argv[1], sys.argv[2])
    except Exception as error:  # noqa: BLE001  any exception of the converter is an answer
        print(f"{type(error).__name__}: {(str(error).strip() or repr(error)).splitlines()[0]}", file=sys.stderr)
        sys.exit(3)
