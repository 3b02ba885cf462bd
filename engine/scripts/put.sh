# Runs on the host: makes a file of what comes on standard input, whole or not at all.
# Arguments: path, owner, mode.
set -eu
umask 077
part="$1.part"
rm -f "$part"
cat >"$part"
chown "$2:" "$part"
chmod "$3" "$part"
mv -f "$part" "$1"
