"""The paths: what is asked of the service, and what its OpenAPI document says of that."""

from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.export.triton import NAME, VERSION
from cnn_mnist.serve import protocol
from cnn_mnist.serve.body import read_body, read_picture
from cnn_mnist.serve.service import Service

_MODEL: Final = f"/v2/models/{NAME}"
_VERSION: Final = f"{_MODEL}/versions/{VERSION}"
_PAGE: Final = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_PICTURE: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": _BYTES,
            "application/octet-stream": _BYTES,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
_TENSOR: Final = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"const": "images"},
        "shape": {
            "type": "array",
            "prefixItems": [
                {"type": "integer", "minimum": 1, "maximum": 256},
                {"const": 1},
                {"const": IMAGE_SIZE},
                {"const": IMAGE_SIZE},
            ],
            "minItems": 4,
            "maxItems": 4,
        },
        "datatype": {"const": "FP32"},
        "data": {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}},
        "parameters": {"type": "object"},
    },
}
_OUTPUT: Final = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"enum": list(protocol.OUTPUTS)}, "parameters": {"type": "object"}},
}
_INFER: Final = {
    "parameters": [
        {
            "name": protocol.HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 0},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "id": {"type": "string"},
                        "parameters": {"type": "object"},
                        "inputs": {
                            "type": "array",
                            "items": _TENSOR,
                            "minItems": 1,
                            "maxItems": 1,
                        },
                        "outputs": {"type": "array", "items": _OUTPUT},
                    },
                }
            },
            "application/octet-stream": _BYTES,
        },
    },
}


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a path; a token can be wanted, and a busy server can refuse, anywhere."""
    content = {"application/json": {"schema": _ERROR}}
    reasons = {
        400: "Not of the right form",
        401: "A token is wanted",
        408: "The request came too slowly",
        413: "Too large",
        415: "Not an image, or compressed",
        503: "Busy, or stopping: try again",
    }
    return {
        status: {"description": reasons[status], "content": content}
        for status in (*statuses, 401, 408, 503)
    }


def routes(service: Service) -> APIRouter:
    """All paths of a service."""
    router = APIRouter()
    _add_inference(router, service)
    _add_pictures(router, service)
    _add_page(router, service)
    return router


def _add_inference(router: APIRouter, service: Service) -> None:
    """The Open Inference Protocol v2."""

    @router.post(f"{_VERSION}/infer", include_in_schema=False)
    @router.post(
        f"{_MODEL}/infer",
        responses=_errors(400, 413, 415),
        openapi_extra=_INFER,
        summary="Classify images that are in MNIST's form.",
    )
    async def infer(request: Request) -> Response:
        body = await read_body(request, service.settings.max_tensor_bytes)
        header = request.headers.get(protocol.HEADER)
        if header is not None and not (header.isascii() and header.isdigit()):
            raise protocol.ProtocolError(f"{protocol.HEADER} is no number")
        asked = protocol.parse(body, None if header is None else int(header[:18]))
        content, json_bytes = protocol.render(asked, *await service.infer(asked.images))
        if json_bytes is None:
            return Response(content, media_type="application/json")
        headers = {protocol.HEADER: str(json_bytes)}
        return Response(content, media_type="application/octet-stream", headers=headers)

    @router.get("/v2", responses=_errors(), summary="The server and its extensions.")
    async def server() -> JSONResponse:
        return JSONResponse(protocol.server_metadata())

    @router.get(_VERSION, include_in_schema=False)
    @router.get(_MODEL, responses=_errors(), summary="The model's inputs and outputs.")
    async def model() -> JSONResponse:
        return JSONResponse(protocol.model_metadata(service.model.classes))

    @router.get("/v2/health/live", responses=_errors(), summary="The process answers.")
    async def live() -> JSONResponse:
        return JSONResponse({"live": True})

    @router.get(f"{_VERSION}/ready", include_in_schema=False)
    @router.get(f"{_MODEL}/ready", responses=_errors(), summary="As /v2/health/ready.")
    @router.get("/v2/health/ready", responses=_errors(), summary="It wants new clients.")
    async def ready() -> JSONResponse:
        if service.draining:
            return JSONResponse({"error": "the server is stopping"}, 503)
        return JSONResponse({"ready": True})


def _add_pictures(router: APIRouter, service: Service) -> None:
    """Pictures of digits."""

    @router.post(
        "/predict",
        responses=_errors(400, 413, 415),
        openapi_extra=_PICTURE,
        summary="Read the digits in a picture, as cnn-mnist predict --json does.",
    )
    async def predict(request: Request) -> Response:
        name, picture = await read_picture(request, service.settings.max_body_bytes)
        return Response(await service.predict(name, picture), media_type="application/json")

    @router.post(
        "/layers",
        responses=_errors(400, 413, 415),
        openapi_extra=_PICTURE,
        summary="Read a picture, and show one digit's way through the network's layers.",
    )
    async def layers(request: Request, digit: Annotated[int, Query(ge=0, le=9999)] = 0) -> Response:
        _, picture = await read_picture(request, service.settings.max_body_bytes)
        return Response(await service.explain(picture, digit), media_type="application/json")


def _add_page(router: APIRouter, service: Service) -> None:
    """The page, and the figures."""
    folder = files("cnn_mnist.serve") / "page"
    for path, (name, kind) in _PAGE.items():
        response = Response((folder / name).read_bytes(), media_type=kind)
        router.add_api_route(path, _constant(response), include_in_schema=False, methods=["GET"])

    @router.get(
        "/metrics",
        summary="Figures for Prometheus.",
        responses=_errors() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type="text/plain; version=0.0.4")


def _constant(response: Response) -> Any:
    async def page() -> Response:
        return response

    return page
