"""Load and invoke one TFLite file, as a program of its own: `runtime_worker.py MODULE MODEL INPUTS OUTPUTS MEMORY`.

Run by path, not imported: the interpreter that runs it may be an older Python (3.7 or newer) that has tflite_runtime
and numpy but not this package. It writes the outputs of every input as one array, or prints one line and exits 3.
"""

import importlib
import resource
import sys


def run(module: str, model: str, inputs: str, outputs: str) -> None:
    """Run the model on each row of INPUTS and save the stacked first outputs."""
    # The folder of this program comes first on the path, where its neighbours could pass for someone's packages.
    del sys.path[0]
    np, runtime = importlib.import_module("numpy"), importlib.import_module(module)
    # tensorflow offers its interpreter in a submodule that is loaded on first use.
    interpreter_class = runtime.lite.Interpreter if module == "tensorflow" else runtime.Interpreter
    interpreter = interpreter_class(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    entry, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for row in np.load(inputs):
        interpreter.set_tensor(entry, row[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(result)[0])
    np.save(outputs, np.stack(rows))


if __name__ == "__main__":
    memory = int(sys.argv[5])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        run(*sys.argv[1:5])
    except Exception as error:  # noqa: BLE001  whatever the runtime throws is the answer asked for
        print((str(error).strip() or repr(error)).splitlines()[0], file=sys.stderr)
        sys.exit(3)
