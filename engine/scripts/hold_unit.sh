# Runs on the host before a package comes that starts a unit when it is installed: keeps it from that,
# until the switch lets it. Arguments: the package, the unit.
dpkg-query --show --showformat '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed ||
    systemctl mask --quiet --runtime "$2"
