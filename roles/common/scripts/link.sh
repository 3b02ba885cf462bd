# Runs on the host: points a symbolic link, which a rename switches. Arguments: path, target.
set -eu
rm -f "$1.part"
ln -s "$2" "$1.part"
mv -fT "$1.part" "$1"
