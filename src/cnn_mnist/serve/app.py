"""The whole as one ASGI application."""

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cnn_mnist.errors import BusyError, CnnMnistError, ImageError, ImageSizeError
from cnn_mnist.serve.middleware import Gate
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
_HINTS = {
    404: "there is no such path: /openapi.json has them all",
    405: "the path has no such method: /openapi.json has them all",
}


def create_app(settings: Settings) -> Gate:
    """The application; uvicorn's factory in every worker process.

    Raises:
        ModelError: the model file cannot be used.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        gc.collect()
        gc.freeze()  # what stays for good is not searched again, which would hold up everything
        with _drained_by_signals(service):
            yield
        service.close()

    app = FastAPI(
        title="cnn-mnist",
        version="1",  # of this interface
        description='Reads handwritten digits. Every error is `{"error": "..."}`.',
        docs_url=None,  # their pages come from other hosts
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(routes(service))
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _refusal(status))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _refusal(400, "the query has a wrong value"))
    return Gate(
        app,
        metrics=service.metrics,
        token=settings.token,
        draining=lambda: service.draining,
    )


def _refusal(status: int, message: str | None = None):  # type: ignore[no-untyped-def]
    headers = {"Retry-After": "1"} if status == 503 else None

    async def refuse(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": message or str(error)}, status, headers)

    return refuse


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = _HINTS.get(error.status_code, error.detail)
    return JSONResponse({"error": message}, error.status_code, error.headers)


@contextmanager
def _drained_by_signals(service: Service) -> Iterator[None]:
    """SIGTERM and SIGINT first turn readiness false, and end the server only a while later.

    uvicorn's own handlers, which end it, are set before the application starts; they are called
    when the while is over, or at the second signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    ends = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def drain(number: signal.Signals) -> None:
        end = ends[number]
        assert callable(end)
        delay_s = 0.0 if service.draining else service.settings.drain_s
        service.draining = True
        loop.call_later(delay_s, end, number, None)

    for number in ends:
        loop.add_signal_handler(number, drain, number)
    try:
        yield
    finally:
        for number in ends:
            loop.remove_signal_handler(number)
