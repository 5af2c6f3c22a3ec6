"""`python -m distill` is `distill`."""

import sys

from distill.cli.main import main

sys.exit(main())
