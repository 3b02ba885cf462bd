# Runs on the host that built the UI: packs it for the others. Arguments: the built UI, archive.
set -eu
rm -f "$2"
tar --create --zstd --file="$2" --directory="$1" --owner=0 --group=0 .
