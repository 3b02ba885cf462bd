# Runs on the host, behind apt.sh: installs Debian packages by the lists that the preflight fetched, from the
# fleet's store first.
# Arguments: packages. Ends well where all of them are installed, whatever else apt complains of.
# shellcheck disable=SC2154 # $apt and $why are of apt.sh
missing() {
    for name in "$@"; do
        dpkg-query --show --showformat '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed ||
            echo "$name"
    done
}

# apt refuses to go on after an installation that was cut off, until dpkg has ended it. Where dpkg cannot,
# apt says what is wrong.
[ -z "$(dpkg --audit; ls /var/lib/dpkg/updates)" ] || dpkg --configure --pending --force-confold || true

systemctl stop venom-apt.timer 2>/dev/null || true
if has_store; then
    # The run may have filled it since the preflight.
    [ -e "$apt/from-store" ] || try_store "$@" || {
        ! is_closed || {
            printf '%s\n' "$why"
            exit 1
        }
        fetch_lists host || true
    }
else
    [ -n "$(ls "$apt/lists" 2>/dev/null)" ] || fetch_lists host || true
fi
# A host that was just unpacked is often upgrading itself.
apt_get -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    install "$@" || status=$?
forget_lists_later
[ -n "$(missing "$@")" ] || exit 0
exit "${status:-1}"
