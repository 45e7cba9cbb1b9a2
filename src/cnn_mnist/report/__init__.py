"""Write the report of a run: one self-contained page, `report/index.html` in the run directory.

`summary` gathers everything that the page shows, `charts` and `pictures` draw it, `page` lays it
out. The metrics on the test images are computed from the best or newest checkpoint by the same
functions that `evaluate` uses. Not covered: training, or choosing between runs.
"""

from cnn_mnist.report.page import write_report
from cnn_mnist.report.summary import Summary, summarize

__all__ = ["Summary", "summarize", "write_report"]
