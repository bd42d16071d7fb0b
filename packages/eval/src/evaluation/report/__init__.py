"""One page with everything that runs and scores have to show, and the same for machines."""

from evaluation.report.content import ReportContent, read_content
from evaluation.report.page import write_report

__all__ = ["ReportContent", "read_content", "write_report"]
