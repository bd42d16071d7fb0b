"""One page with everything that runs and scores have to show, and the same for machines."""

from evaluation.report.gather import Report, gather
from evaluation.report.page import write_report

__all__ = ["Report", "gather", "write_report"]
