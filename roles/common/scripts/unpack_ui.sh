# Runs on a host that another one built for: unpacks the UI aside and renames it into place.
# Arguments: archive, destination.
set -eu
umask 022
rm -rf "$2.part"
mkdir -p "$2.part"
tar --extract --zstd --file="$1" --directory="$2.part" --no-same-owner
[ -e "$2.part/server/server.js" ]
mv -T "$2.part" "$2"
rm -f "$1"
