"""Open ONNX Runtime sessions within one bounded memory, and without its telemetry.

From version 1.32 on, ONNX Runtime looks up a host of its maker and stores a device id below
`~/.cache`, unless `ORT_DISABLE_TELEMETRY` is set before it is imported. So it is imported here
first; a module that needs another part of it imports this one before.
"""

import os
from functools import cache
from typing import Final

from cnn_mnist.machine import cores

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

MAX_MEMORY_BYTES: Final = 1 << 31
"""What all models of a process may allocate at a time: a foreign graph can ask for any amount."""


@cache
def _bound_memory() -> None:
    """Make the sessions of this process share one bounded arena."""
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    arena = onnxruntime.OrtArenaCfg({"max_mem": MAX_MEMORY_BYTES})
    onnxruntime.create_and_register_allocator(place, arena)


def open_session(model: str | bytes, *, threads: int) -> onnxruntime.InferenceSession:
    """Open a session on the CPU, within the memory that all sessions of this process share.

    Args:
        model: an ONNX file's path, or its bytes.
        threads: threads of one run; 0 takes one for each core that this process may use.

    Raises:
        Exception: what is wrong with the model; ONNX Runtime's own errors have no common base.
    """
    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.intra_op_num_threads = threads or cores()
    options.log_severity_level = 4  # errors are raised instead
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
