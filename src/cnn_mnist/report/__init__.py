"""The report of a run: one self-contained page, `report/index.html` in the run directory.

`study` gathers all that is shown, `charts` and `pictures` draw it, `page` lays it out. What the
page shows of the test set is computed from the newest checkpoint by the lines that `evaluate` uses.
Not covered: training another step, or any choice: a report only looks.
"""

from cnn_mnist.report.page import write_report
from cnn_mnist.report.study import Study, study

__all__ = ["Study", "study", "write_report"]
