"""`python -m evaluation` is `eval`."""

import sys

from evaluation.cli import main

sys.exit(main())
