"""Import an application and report what came with it. Runs in the environment in question, not in ours.

    python imports.py MODULE [--refuse [NAME ...]]

Prints one JSON document: of each module that was imported who asked for it first (module, file, line), and
by how many bytes the resident set grew while it ran, without what it imported in turn. With `--refuse` it
prints nothing, but if one of these modules came in, it says who imported it and ends with status 1.
"""

import importlib
import json
import os
import sys
from importlib.abc import Loader, MetaPathFinder

PAGE = os.sysconf("SC_PAGE_SIZE")
importers = {}  # module → [importer's name, file, line]
grown = {}  # module → bytes of its own
running = []  # bytes of those that each running module has imported


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


class Measured(Loader):
    """A module's own loader, between two looks at the memory."""

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        before = resident()
        running.append(0)
        # Whoever looks at its own loader must find it.
        module.__spec__.loader = module.__loader__ = self.loader
        try:
            self.loader.exec_module(module)
        finally:
            total = resident() - before
            grown[module.__name__] = total - running.pop()
            if running:
                running[-1] += total


class Watch(MetaPathFinder):
    """Records who imports each module, and hands the search on to the others."""

    def __init__(self, measure):
        self.measure = measure

    def find_spec(self, name, path=None, target=None):
        if name not in importers:
            importers[name] = importer()
        for finder in sys.meta_path if self.measure else ():
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = Measured(spec.loader)
                return spec
        return None


def importer():
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<frozen importlib") and "/importlib/" not in file and file != __file__:
            return [frame.f_globals.get("__name__", ""), file, frame.f_lineno]
        frame = frame.f_back
    return ["", "", 0]


def main():
    name, refuses, refused = sys.argv[1], len(sys.argv) > 2, sys.argv[3:]
    sys.meta_path.insert(0, Watch(measure=not refuses))
    before = resident()
    importlib.import_module(name)
    came = [it for it in refused if it in sys.modules]
    for it in came:
        by, file, line = importers.get(it, ["", "", 0])
        print(f"refused: {it} was imported, by {by or '?'} ({file}:{line})", file=sys.stderr)
    if came:
        # At once: whatever the application has started must not have the last word.
        sys.stderr.flush()
        os._exit(1)
    if not refuses:
        loaded = {name: who for name, who in importers.items() if name in sys.modules}
        print(json.dumps({"resident": [before, resident()], "importers": loaded, "grown": grown}))


if __name__ == "__main__":
    main()
