# Runs on the host, where a driver is to be installed: its sources of packages, ours left out, and whether another
# installer has been here. Prints "name=value" lines; changes nothing. Argument: our file of sources.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ "$file" != "$1" ] && [ -r "$file" ] || continue
    echo "file=$file"
    sed 's/^/line=/' "$file"
done
[ ! -e /usr/bin/nvidia-uninstall ] || echo 'installer=/usr/bin/nvidia-uninstall'
exit 0
