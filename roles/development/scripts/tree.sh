# Runs on the host: what a developer's tree is, one fact a line, "name=value". Changes nothing.
# Arguments: the tree, its user.
export LC_ALL=C
echo "uid=$(id -u "$2" 2>/dev/null)"
[ -d "$1" ] && echo "directory=yes"
# As the developer: what they cannot read Venom will not read, and no link of theirs leads root anywhere.
runuser -u "$2" -- sh -s "$1" 2>/dev/null <<'DEVELOPER'
cd "$1" || exit 0
echo "entered=yes"
for name in venom_core/main.py web-next/package.json web-next/package-lock.json; do
    [ -r "$name" ] && echo "has=$name"
done
for name in . web-next; do
    [ -w "$name" ] && echo "writable=$name"
done
sha256sum ./*.txt 2>/dev/null | sed -n 's|^\([0-9a-f]*\)  \./|sha256=\1 |p'
DEVELOPER
exit 0
