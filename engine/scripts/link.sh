# Runs on the host: makes a link, and the folders above it, for everybody to read; another one is replaced by a
# rename. Arguments: path, target.
set -eu
umask 022
mkdir -p "$(dirname "$1")"
ln -sfnT "$2" "$1.part"
mv -fT "$1.part" "$1"
