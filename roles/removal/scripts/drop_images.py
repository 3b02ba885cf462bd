"""Runs on the host before our folders go: the container images that lie in an engine's store go, too."""

import os

from images import FOLDER, drop

for name in os.listdir(FOLDER) if os.path.isdir(FOLDER) else ():
    drop(os.path.join(FOLDER, name))
