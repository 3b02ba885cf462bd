# Runs on the host: removes trees. A mount point cannot go: it is emptied.
set -eu
for tree in "$@"; do
    if mountpoint -q "$tree"; then find "$tree" -mindepth 1 -delete; else rm -rf "$tree"; fi
done
