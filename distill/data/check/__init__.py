"""Validation of data sets, as used by `distill data check`."""

from distill.data.check.check import CheckOptions, check_data
from distill.data.check.finding import Finding, Report, SubsetCounts

__all__ = ["CheckOptions", "Finding", "Report", "SubsetCounts", "check_data"]
