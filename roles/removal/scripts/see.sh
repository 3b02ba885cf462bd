# Runs on the host before anything is removed: prints, one fact a line, what the look does not. It needs
# no python3, which a host where nothing was installed yet may lack. Changes nothing.
# Arguments: the audit log; the file that shows that we are here; our units, as one word; folders.
log=$1 mark=$2 units=$3
shift 3
echo "uid=$(id -u)"
grep -qs 'Managed by the Venom provisioner' "$mark" && echo "marked=yes"
[ -x /usr/bin/python3 ] && echo "python=yes"
if [ -e "$log" ]; then
    echo "log=$log"
    sed -n 's/^.* installs Debian packages: //p' "$log" | tr ' ' '\n' | sort -u | sed 's/^/package=/'
fi
for unit in $units; do
    find "$(dirname "$mark")/$unit.d" -mindepth 1 2>/dev/null | sed 's/^/drop-in=/'
done
for folder in "$@"; do
    [ -d "$folder" ] && echo "size=$(du -sD --block-size=1 "$folder" | cut -f 1) $folder"
done
exit 0
