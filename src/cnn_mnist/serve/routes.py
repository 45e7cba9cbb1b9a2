"""Define the paths of the HTTP interface."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from cnn_mnist.errors import ImageError
from cnn_mnist.export.triton import NAME, VERSION
from cnn_mnist.reading.reader import How
from cnn_mnist.serve import protocol
from cnn_mnist.serve.body import read_body, read_picture, read_pictures
from cnn_mnist.serve.openapi import INFER, PICTURE, PICTURES, READ, errors
from cnn_mnist.serve.service import Service

_MODEL: Final = f"/v2/models/{NAME}"
_VERSION: Final = f"{_MODEL}/versions/{VERSION}"
_PAGE: Final = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/docs": ("docs.html", "text/html"),
    "/docs.js": ("docs.js", "text/javascript"),
}


def routes(service: Service) -> APIRouter:
    """Return a router with all paths of a service."""
    router = APIRouter()
    _add_inference(router, service)
    _add_pictures(router, service)
    _add_page(router, service)
    return router


def _add_inference(router: APIRouter, service: Service) -> None:
    """Add the Open Inference Protocol v2."""

    @router.post(f"{_VERSION}/infer", include_in_schema=False)
    @router.post(
        f"{_MODEL}/infer",
        responses=errors(400, 413, 415),
        openapi_extra=INFER,
        summary="Classify images in MNIST's form.",
    )
    async def infer(request: Request) -> Response:
        body = await read_body(request, service.settings.max_tensor_bytes)
        header = request.headers.get(protocol.HEADER)
        if header is not None and not (header.isascii() and header.isdigit()):
            raise protocol.ProtocolError(f"{protocol.HEADER} is not a number")
        # no body has more bytes than 18 digits count, and int() refuses thousands of digits
        asked = await service.parse(body, None if header is None else int(header[:18]))
        content, json_bytes = protocol.render(asked, *await service.infer(asked.images))
        if json_bytes is None:
            return Response(content, media_type="application/json")
        headers = {protocol.HEADER: str(json_bytes)}
        return Response(content, media_type="application/octet-stream", headers=headers)

    @router.get("/v2", responses=errors(), summary="The server's name and extensions.")
    async def server() -> JSONResponse:
        return JSONResponse(protocol.server_metadata())

    @router.get(_VERSION, include_in_schema=False)
    @router.get(_MODEL, responses=errors(), summary="The model's inputs and outputs.")
    async def model() -> JSONResponse:
        return JSONResponse(protocol.model_metadata(service.model.class_names))

    @router.get("/v2/health/live", responses=errors(), summary="Whether the process answers.")
    async def live() -> JSONResponse:
        return JSONResponse({"live": True})

    @router.get(f"{_VERSION}/ready", include_in_schema=False)
    @router.get(f"{_MODEL}/ready", responses=errors(), summary="As /v2/health/ready.")
    @router.get("/v2/health/ready", responses=errors(), summary="Whether it accepts new clients.")
    async def ready() -> JSONResponse:
        if service.draining:
            return JSONResponse({"error": "the server is stopping"}, 503)
        return JSONResponse({"ready": True})


def _add_pictures(router: APIRouter, service: Service) -> None:
    """Add the paths that read pictures of digits."""

    @router.post(
        "/predict",
        responses=errors(400, 413, 415) | READ,
        openapi_extra=PICTURES,
        summary="Read the digits in a picture, or in several, as cnn-mnist predict --json does.",
    )
    async def predict(
        request: Request, digits_only: bool = False, fields: bool = False, whole: bool = False
    ) -> Response:
        how = How(digits_only=digits_only, fields=fields, whole=whole)
        pictures = await read_pictures(request, service.settings.max_body_bytes)
        if len(pictures) == 1:
            ((name, picture),) = pictures
            answer = await service.predict(name, picture, how)
        else:
            answer = await _predict_all(service, pictures, how)
        return Response(answer, media_type="application/json")

    @router.post(
        "/layers",
        responses=errors(400, 413, 415),
        openapi_extra=PICTURE,
        summary="Read a picture, with the output of every layer of the network for one digit.",
    )
    async def layers(request: Request, digit: Annotated[int, Query(ge=0, le=9999)] = 0) -> Response:
        _, picture = await read_picture(request, service.settings.max_body_bytes)
        return Response(await service.explain(picture, digit), media_type="application/json")


async def _predict_all(service: Service, pictures: Sequence[tuple[str, bytes]], how: How) -> bytes:
    """Read pictures one after the other, so that a request with many does not keep others waiting.

    Raises:
        ImageError: none of them can be read.
        BusyError: see `Service.predict`.
    """
    readings, failures = [], []
    for name, picture in pictures:
        try:
            readings.append(orjson.Fragment(await service.predict(name, picture, how)))
        except ImageError as error:
            failures.append({"file": name, "error": str(error)})
            if len(failures) == len(pictures):
                raise
    return orjson.dumps({"images": readings, "errors": failures})


def _add_page(router: APIRouter, service: Service) -> None:
    """Add the page to draw on, the page that describes the paths, and the metrics."""
    folder = files("cnn_mnist.serve") / "page"
    for path, (name, kind) in _PAGE.items():
        response = Response((folder / name).read_bytes(), media_type=kind)
        router.add_api_route(path, _constant(response), include_in_schema=False, methods=["GET"])

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus.",
        responses=errors() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    async def metrics() -> Response:
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4")


def _constant(response: Response) -> Any:
    async def page() -> Response:
        return response

    return page
