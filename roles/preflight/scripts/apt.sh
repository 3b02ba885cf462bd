# Runs on the host, behind apt.sh, where packages are missing: could apt install them, and what is wrong with
# its sources? Prints "name=value" lines; changes nothing. Arguments: packages.
# shellcheck disable=SC2154 # $apt and $why are of apt.sh
command -v apt-get >/dev/null || {
    echo 'apt=none'
    exit 0
}
echo 'apt=there'

would_work() {
    echo 'works=yes'
    printf '%s\n' "$would" | awk '/^\047/ { sum += $3 } END { printf "fetch=%.0f\n", sum }'
    printf '%s\n' "$would" | sed -n 's/^After this operation, \(.*\) of additional disk space.*/unpack=\1/p'
    archives=/var/cache/apt/archives
    [ -d "$archives" ] || archives=/var/cache
    df -Pk "$archives" /usr | awk 'NR > 1 { print "room=" $6 " " $4 * 1024 }'
    forget_lists_later
    exit 0
}

pins() { grep -lsE '^Pin-Priority: *-' /etc/apt/preferences /etc/apt/preferences.d/* | sed 's/^/pin=/'; }

if has_store; then
    ! try_store "$@" || would_work
    if is_closed; then
        pins
        echo "store=$VENOM_STORE"
        printf '%s\n' "$why" | sed 's/^/cannot=/'
        rm -rf "$apt"
        exit 0
    fi
    # The lists of the host's own sources would come for nothing, to every host of the fleet.
    if will_be_filled; then
        echo 'works=yes'
        rm -rf "$apt"
        exit 0
    fi
fi
update=$(fetch_lists host || true)
printf '%s\n' "$update" | sed 's/^/update=/'
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -r "$file" ] || grep -n '' "$file" | sed "s|^|source=$file:|"
done
pins
! would=$(apt_get --print-uris install "$@" 2>&1) || would_work
printf '%s\n' "$would" | sed 's/^/cannot=/'
rm -rf "$apt"
exit 0
