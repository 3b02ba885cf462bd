"""What a Venom imports: read from its text, and measured from a real import.

A floor of its own between `schemas` and `roles`: it knows no host and no pyinfra, so it serves whoever
maintains Venom (`python -m audit SOURCE`), and the plan asks it what a release needs before anything
is installed.

Why not an import-graph library: the source is Python 3.12 and whoever runs this may have 3.11, so `ast`,
and modulegraph2 with it, refuse two modules that start-up reaches. Grimp and `ruff analyze graph` read every
version, but know an edge and its line only: whether it is guarded, lazy or decided by an `if` is just what is
asked here. tree-sitter reads all of Python in seconds, whatever interpreter runs it; what Python does with
an import statement (packages, relative names, stars, `__getattr__`) is read in `graph.py`.
"""
