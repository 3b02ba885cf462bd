# Runs on the host: unpacks what was uploaded, if it is what was sent, aside and renames it into place.
# Arguments: archive, its sha256, destination, kind (source, wheel, ui); for a source also the links that
# belong into it, as PATH=TARGET.
set -eu
umask 022
archive=$1 sha256=$2 target=$3 kind=$4
shift 4
found=$(sha256sum "$archive" | cut -d' ' -f1)
if [ "$found" != "$sha256" ]; then
    rm -f "$archive"
    echo "the received file differs from the one sent: expected sha256 $sha256, found $found; run again" >&2
    exit 1
fi
part=$target.part
rm -rf "$part"
mkdir -p "$part"
case $kind in
source)
    tar --extract --gzip --file="$archive" --directory="$part" --no-same-owner --no-same-permissions
    # Venom writes into its own code, which is read-only here.
    for link in "$@"; do
        path=$part/${link%%=*}
        mkdir -p "$(dirname "$path")"
        rm -rf "$path"
        ln -s "${link#*=}" "$path"
    done
    chmod -R u=rwX,go=rX "$part"
    ;;
wheel) /usr/bin/python3 -m zipfile -e "$archive" "$part" ;;
ui)
    tar --extract --zstd --file="$archive" --directory="$part" --no-same-owner
    [ -e "$part/server/server.js" ]
    ;;
esac
chown -R root: "$part"
mv -T "$part" "$target"
rm -f "$archive"
