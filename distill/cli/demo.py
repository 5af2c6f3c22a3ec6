"""`distill demo web`: camera or photos with landmarks in the browser, computed in the page."""

import tempfile
from pathlib import Path

from distill.cli.actions import Actions, run_action


def web(
    models: list[str] = ["student_68_128", "efld_51_128"],  # noqa: B006  never changed
    port: int = 8000,
    out: Path | None = None,
    litertjs: Path | None = None,
) -> int:
    """Serve a page that finds faces and landmarks in the browser; nothing is uploaded and nothing downloaded.

    Args:
        models: names of released models (`distill models`), or .tflite files with their .json beside them.
        port: of the page on this machine; 0 takes a free one.
        out: write the page as a folder for any web server, and do not serve it.
        litertjs: folder in which `npm install @litertjs/core` was run.
    """
    from distill.web.server import address_of, open_server
    from distill.web.site import write_site

    if out is not None:
        print(f"{out}/index.html  {', '.join(write_site(out, models, litertjs))}")
        return 0
    with tempfile.TemporaryDirectory(prefix="distill_web_") as folder:
        names = write_site(Path(folder), models, litertjs)
        with open_server(Path(folder), port) as server:
            print(f"{address_of(server)}  {', '.join(names)}; stop with Ctrl-C", flush=True)
            server.serve_forever()
    return 0


ACTIONS: Actions = {"web": (web, ("models...",))}


def run(argv: list[str]) -> int:
    return run_action("demo", ACTIONS, argv)
