"""Runs on the host: which backups its repository has, of every host, as JSON."""

import json
import sys

import repository

try:
    repository.open_repository(make=False)
    json.dump(repository.copies(), sys.stdout)
except (repository.Fault, OSError, ValueError) as error:
    print(error, file=sys.stderr)
    sys.exit(1)
