"""Code blocks of Markdown documents: shell commands, and files whose first line names them."""

import re


def files_of(text: str) -> dict[str, str]:
    """Return the files of a document: blocks whose first line is a comment with a file name."""
    return dict(re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def commands_of(text: str) -> list[str]:
    """Return the lines of a document's shell blocks."""
    return [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
