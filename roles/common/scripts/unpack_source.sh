# Runs on the host: unpacks an uploaded source aside and renames it into place.
# Arguments: archive, its sha256, destination, the folder that config/env-history points to.
set -eu
umask 022
found=$(sha256sum "$1" | cut -d' ' -f1)
if [ "$found" != "$2" ]; then
    rm -f "$1"
    echo "the uploaded source is not what was sent: expected sha256 $2, found $found; run again" >&2
    exit 1
fi
rm -rf "$3.part"
mkdir -p "$3.part"
tar --extract --gzip --file="$1" --directory="$3.part" --no-same-owner --no-same-permissions
mkdir -p "$3.part/config"
rm -rf "$3.part/config/env-history"
ln -s "$4" "$3.part/config/env-history"
chown -R root: "$3.part"
chmod -R u=rwX,go=rX "$3.part"
mv -T "$3.part" "$3"
rm -f "$1"
