"""What the launcher `bin/ollama` runs."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
