"""Gather what asks a run to stop before its last step: a signal, or a hook."""

import signal
from collections.abc import Sequence
from typing import Final

from cnn_mnist.training.distributed import Group

_HOOK: Final = 1
"""What a hook's request counts as among the processes; a signal counts as more, and wins."""


class StopRequests:
    """The requests of one training, on which all processes of a group agree after each step.

    Args:
        group: the processes that train together.
        received: the signals that this process has received; grows during the training.
    """

    def __init__(self, group: Group, received: Sequence[signal.Signals]) -> None:
        self._group = group
        self._received = received
        self._reason: str | None = None

    def request(self, reason: str) -> None:
        """Ask for a stop after the current step; the first reason is kept."""
        if self._reason is None:
            self._reason = str(reason)

    @property
    def signalled(self) -> bool:
        """Whether this process has received a signal."""
        return bool(self._received)

    def agreed(self) -> signal.Signals | str | None:
        """Return the signal that came to any process, else a hook's reason, else None.

        All processes of the group call it at the same moments and get the same answer.
        """
        mine = _HOOK + self._received[0] if self._received else int(self._reason is not None)
        request = self._group.all_reduce_max(mine)
        if request > _HOOK:
            return signal.Signals(request - _HOOK)
        if request == _HOOK:
            return self._group.broadcast((self._reason or "").encode()).decode()
        return None
