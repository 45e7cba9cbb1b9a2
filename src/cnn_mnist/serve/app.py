"""Build the ASGI application: routes, error handlers, middleware, startup and shutdown."""

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cnn_mnist.errors import BusyError, CnnMnistError, ImageError, ImageSizeError
from cnn_mnist.serve.cors import Cors
from cnn_mnist.serve.malloc import return_large_blocks
from cnn_mnist.serve.memory_budget import BoundedBodies
from cnn_mnist.serve.middleware import Middleware
from cnn_mnist.serve.protocol import ProtocolError
from cnn_mnist.serve.routes import routes
from cnn_mnist.serve.service import Service
from cnn_mnist.serve.settings import Settings

_STATUS: dict[type[CnnMnistError], int] = {
    BusyError: 503,
    ProtocolError: 400,
    ImageSizeError: 413,
    ImageError: 415,
}
_MESSAGES = {
    404: "no such path: /openapi.json lists all paths",
    405: "the path does not allow this method: /openapi.json lists the methods",
}


def create_app(settings: Settings) -> Middleware:
    """Build the application; uvicorn calls this in every worker process.

    Raises:
        ModelError: the model file cannot be used.
    """
    return_large_blocks()
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        gc.collect()
        gc.freeze()  # later collections skip permanent objects: visiting them delays every request
        with _drain_on_signals(service):
            yield
        service.close()

    app = FastAPI(
        title="cnn-mnist",
        version="1",  # of this interface
        description='Reads handwritten digits. Every error is `{"error": "..."}`.',
        docs_url=None,  # these pages load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(routes(service))
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _error_handler(status))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _query_error)
    return Middleware(
        BoundedBodies(app, settings.max_bodies_bytes),
        metrics=service.metrics,
        token=settings.token,
        cors=Cors(settings.allow_origins),
        draining=lambda: service.draining,
    )


def _error_handler(status: int):  # type: ignore[no-untyped-def]
    headers = {"Retry-After": "1"} if status == 503 else None

    async def handle(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status, headers)

    return handle


async def _query_error(_: Request, error: Exception) -> JSONResponse:
    """Name the query parameters whose values cannot be used, and what is expected."""
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
    return JSONResponse({"error": f"a query parameter has an invalid value: {wrong}"}, 400)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = _MESSAGES.get(error.status_code, error.detail)
    return JSONResponse({"error": message}, error.status_code, error.headers)


@contextmanager
def _drain_on_signals(service: Service) -> Iterator[None]:
    """On SIGTERM and SIGINT, turn readiness false first and stop the server `drain_s` later.

    uvicorn sets its own handlers, which stop the server, before the application starts; they are
    called when `drain_s` is over, or at the second signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    handlers = {int(n): signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}

    def drain(number: int) -> None:
        stop = handlers[number]
        assert callable(stop)
        delay_s = 0.0 if service.draining else service.settings.drain_s
        service.draining = True
        loop.call_later(delay_s, stop, number, None)

    def handle(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(drain, number)

    for number in handlers:
        signal.signal(number, handle)  # not by the loop, which has no such method on Windows
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
