"""Checks of the documentation's claims at full size, with results in results/checks/."""
