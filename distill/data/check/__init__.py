"""Is this data set what its owner thinks it is? Everything `distill data check` says, as plain functions."""

from distill.data.check.check import CheckOptions, check_data
from distill.data.check.finding import Finding, Report, SubsetCounts

__all__ = ["CheckOptions", "Finding", "Report", "SubsetCounts", "check_data"]
