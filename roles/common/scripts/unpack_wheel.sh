# Runs on the host: unpacks an uploaded wheel aside and renames it into place.
# Arguments: wheel, its sha256, destination.
set -eu
umask 022
found=$(sha256sum "$1" | cut -d' ' -f1)
if [ "$found" != "$2" ]; then
    rm -f "$1"
    echo "the uploaded wheel is not what was sent: expected sha256 $2, found $found; run again" >&2
    exit 1
fi
rm -rf "$3.part"
python3 -m zipfile -e "$1" "$3.part"
mv -T "$3.part" "$3"
rm -f "$1"
