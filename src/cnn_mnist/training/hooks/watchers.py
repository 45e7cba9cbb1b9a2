"""Call all hooks of a run together."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from cnn_mnist.errors import Interrupted, first_line
from cnn_mnist.runs.run import Run, read_metrics
from cnn_mnist.training.hooks.hook import End, Hook, Start, Step, wrap_hook_errors


class Watchers:
    """The hooks of a run, called in order.

    Raises:
        HookError: (by each method) a hook failed; the line names it.
    """

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = hooks
        self._latest: dict[str, float] = {}
        self._step = 0
        self.stopped: str | None = None
        """The reason of a hook that has stopped the training."""

    @contextmanager
    def watching(self, start: Start) -> Iterator[None]:
        """Begin the hooks, and end those that have begun however the block is left."""
        with ExitStack() as stack:
            for hook in self._hooks:
                with wrap_hook_errors(hook):
                    hook.begin(start)
                stack.push(partial(self._end, hook))
            self._step = start.first_step
            for metrics in read_metrics(Run(start.run_dir)) if self._hooks else ():
                self._latest |= metrics
            yield

    def after_step(self, step: Step) -> None:
        """Pass on a step."""
        self._step = step.number
        for hook in self._hooks:
            with wrap_hook_errors(hook):
                hook.after_step(step)

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Pass on metrics."""
        self._latest |= metrics
        for hook in self._hooks:
            with wrap_hook_errors(hook):
                hook.on_metrics(metrics)

    def _end(
        self, hook: Hook, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        metrics = {name: value for name, value in self._latest.items() if name != "step"}
        if error is None:
            end = End(
                outcome="finished" if self.stopped is None else "stopped",
                step=self._step,
                reason=self.stopped,
                metrics=metrics,
            )
        else:
            is_signal = isinstance(error, (Interrupted, KeyboardInterrupt))
            end = End(
                outcome="interrupted" if is_signal else "failed",
                step=self._step,
                reason=first_line(error),
                metrics=metrics,
            )
        with wrap_hook_errors(hook):
            hook.end(end)
