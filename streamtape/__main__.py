"""``python -m streamtape``: the command line."""

import sys

from streamtape.cli import main

if __name__ == "__main__":
    sys.exit(main())
