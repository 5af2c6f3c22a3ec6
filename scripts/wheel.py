"""Build step of the wheel: recipes, contest rules and the default models go into `distill/bundled/`.

Named in pyproject.toml as setuptools' `build_py`. `distill.pretrained.resources` finds the files after installation.
"""

from pathlib import Path

from setuptools.command.build_py import build_py

# What runs out of the box: the default landmark model and the smallest one, the cards of all models, and the hashes.
MODELS = ("student_68_128_fp16", "efld_51_128_int8")
PATTERNS = (
    "configs/**/*.yaml",
    "checkpoints/*.md",
    "checkpoints/SHA256SUMS",
    *(f"checkpoints/{name}.{suffix}" for name in MODELS for suffix in ("tflite", "json")),
)


def bundled_files() -> list[str]:
    """Return the files from outside the package, relative to the root of the repository."""
    return sorted(str(path) for pattern in PATTERNS for path in Path().glob(pattern))


class BuildPy(build_py):
    """`build_py` that also copies the bundled files, and lists them for the source distribution."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for file in bundled_files():
            target = Path(self.build_lib, "distill", "bundled", file)
            self.mkpath(str(target.parent))
            self.copy_file(file, str(target))

    def get_source_files(self) -> list[str]:
        """Return the files of the source distribution."""
        return [*super().get_source_files(), *bundled_files(), "scripts/wheel.py"]
