"""Processes, locks and folders: what training and export need of the operating system."""
