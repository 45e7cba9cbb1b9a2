"""The command `cnn-mnist serve`."""

import math
import re
from pathlib import Path
from typing import Final

import click

from cnn_mnist.cli.options import FILE, model_file, model_option
from cnn_mnist.errors import needs_extra

_ORIGIN: Final = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^\s/?#@,]+")


def _origins(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return origins as browsers send them, in lower case."""
    for value in values:
        if not _ORIGIN.fullmatch(value.lower()):
            raise click.BadParameter(
                f"{value!r} is not an origin: give * or SCHEME://HOST[:PORT], without a path"
            )
    return tuple(value.lower() for value in values)


def _seconds(_: click.Context, __: click.Parameter, value: float) -> float:
    if math.isnan(value):  # which is in every range
        raise click.BadParameter("nan is not a number of seconds")
    return value


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes any free one.",
)
@model_option
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Server processes."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1, max=256),
    metavar="N",
    help="Batches and images computed at a time in each process.  [default: one per core]",
)
@click.option(
    "--token-file",
    type=FILE,
    metavar="F",
    help="Require the token in file F: `Authorization: Bearer TOKEN`.",
)
@click.option(
    "--allow-origin",
    "allow_origins",
    multiple=True,
    metavar="ORIGIN",
    callback=_origins,
    help="Let pages of ORIGIN call the server from a browser (CORS): https://example.org, or * for "
    "all. Can be repeated.  [default: none]",
)
@click.option(
    "--drain-s",
    type=click.FloatRange(0, 3600),
    default=1.0,
    show_default=True,
    metavar="S",
    callback=_seconds,
    help="Seconds from SIGTERM, when readiness turns false, to the end of listening.",
)
def serve(
    host: str,
    port: int,
    model_path: Path | None,
    workers: int,
    threads: int | None,
    token_file: Path | None,
    allow_origins: tuple[str, ...],
    drain_s: float,
) -> None:
    """Serve a network over HTTP, with a web page to draw digits on.

    POST /predict reads images, /v2 is the Open Inference Protocol, /metrics is for Prometheus, and
    /docs describes all paths. On SIGTERM the server reports that it is not ready, answers
    the requests that it has accepted, and exits with code 0. The log goes to standard error, one
    JSON object per line.
    """
    with needs_extra("serve", "serving"):
        from cnn_mnist.serve.server import listen, run
        from cnn_mnist.serve.service import Service
        from cnn_mnist.serve.settings import Settings, read_token

    token = read_token(token_file) if token_file else None
    settings = Settings(
        model=model_file(model_path),
        threads=threads or 0,
        token=token,
        allow_origins=allow_origins,
        drain_s=drain_s,
    )
    Service(settings).close()  # refuses an unusable model before the port is opened
    with listen(host, port) as listening:
        host, port = listening.getsockname()[:2]
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        click.echo(f"serving {settings.model.name} on http://{place}: Ctrl-C to stop", err=True)
        run(settings, listening, workers)
