"""Run the code of the tutorial block by block and print what each block prints.

    python tools/run_tutorial.py RUN > benchmarks/results/tutorial_page.json

RUN is a finished run of the recipe `standard` on MNIST, seed 0 (`cnn-mnist train` makes it); the
tutorial calls it `runs/standard`. All Python blocks run in one session; of the commands, only those
run whose output the page shows. `python tools/build_docs.py` puts the output into the pages. The
last line of standard output is one JSON object.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from markdown_blocks import Block, blocks

from cnn_mnist.machine import machine, versions

DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a finished run of `standard` on MNIST")
    run = parser.parse_args().run.resolve()
    page = (DOCS / "templates" / "tutorial.md").read_text("utf-8")
    session: dict[str, Any] = {"__name__": "__main__"}
    outputs = []
    start = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(run, Path(folder, "runs", "standard"))
        shutil.copy(DOCS / "pictures" / "my-digit.png", folder)
        os.chdir(folder)
        for block in blocks(page):
            printed = output(block, session)
            outputs.append({"language": block.language, "code": block.code, "output": printed})
            print(block.code, printed, file=sys.stderr, sep="\n")
        os.chdir(start)
    print(json.dumps({"blocks": outputs, "versions": versions(), "machine": machine()}))


def output(block: Block, session: dict[str, Any]) -> str:
    """Run a block and return its standard output and error; a command that is not shown is not run.

    Args:
        block: Python or bash.
        session: the variables of the Python blocks; it changes.

    Raises:
        CalledProcessError: a command failed.
    """
    if block.language == "bash":
        if not block.shown:
            return ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-ec", block.code],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PATH": path},
        ).stdout  # fmt: skip
    printed = StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        exec(compile(block.code, "<tutorial>", "exec"), session)  # noqa: S102 - our own page
    return printed.getvalue()


if __name__ == "__main__":
    main()
