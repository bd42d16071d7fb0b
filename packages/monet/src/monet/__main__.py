"""`python -m monet` is `monet-train`."""

import sys

from monet.cli import main

if __name__ == "__main__":
    sys.exit(main())
