"""`python -m monet` is `monet-train`."""

import sys

from monet.cli import main

sys.exit(main())
