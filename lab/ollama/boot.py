"""lib/ollama/stand-in.py: puts the code and its one dependency on the path and starts it."""

import sys
from pathlib import Path

LIB = Path(__file__).resolve().parent
sys.path[:0] = [str(LIB / "code"), str(LIB / "packages")]

if __name__ == "__main__":
    from ollama_stand_in.cli import main  # type: ignore[import-not-found]

    sys.exit(main(sys.argv[1:]))
