"""`python -m distill.doctor`: works even where the command line does not start."""

import sys

from distill.doctor import diagnose

diagnosis = diagnose()
print(diagnosis.render())
sys.exit(diagnosis.exit_code)
