"""Configure the server's log: one JSON object a line, on standard error."""

import logging
from datetime import datetime, timezone
from typing import Any, Final

import orjson

ACCESS: Final = logging.getLogger("cnn_mnist.serve.access")
"""One line a request: its fields are in the record's `args`."""
SERVE: Final = logging.getLogger("cnn_mnist.serve")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `time`, `level`, and either `message` or the fields of a request."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname.lower(),
        }
        if isinstance(record.args, dict):
            line.update(record.args)
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


CONFIG: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {
        "cnn_mnist.serve": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # the command line prints what uvicorn says at INFO; any client can cause its warnings
        "uvicorn": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
    },
}
"""For `logging.config.dictConfig`."""
