# Runs on the host, in front of the scripts that use apt: apt with lists of its own, so that asking changes
# nothing of the host's and needs no lock. Standard input: variables, NAME=value a line, and an empty one. Those
# of the proxy, which apt takes where it has no proxy of its own (apt-transport-http(1)); VENOM_STORE, the URL of
# the fleet's store; VENOM_CLOSED=yes, where nothing else is asked; VENOM_FILLED=yes, where this run fills the store
# before packages are installed; VENOM_SOURCES, a file of sources that the host is about to get, and
# VENOM_SOURCES_TEXT, what will be in it (\n for the end of a line).
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
apt=/run/venom-apt
while IFS= read -r variable && [ -n "$variable" ]; do export "${variable?}"; done
codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME-}") || codename=

apt_get() {
    apt-get -c "$apt/apt.conf" -q -y --no-install-recommends "$@"
}

# has_store: whether a store may have packages for this host. It has Debian's, and no others.
has_store() { [ -n "${VENOM_STORE-}" ] && [ -n "$codename" ]; }

is_closed() { [ -n "${VENOM_CLOSED-}" ]; }

will_be_filled() { [ -n "${VENOM_FILLED-}" ]; }

# fetch_lists WHERE: what the host's own sources have now (`host`), or the store (`store`), into lists of our own;
# prints what apt printed of it.
fetch_lists() {
    rm -rf "$apt"
    mkdir -p -m 0755 "$apt/lists"
    # What apt has read of its lists spares it a second for each further question. It takes up to 100 MB, which
    # where it does not fit would be an error of apt's, and of no help.
    cache="$apt/pkgcache.bin"
    [ "$(df -Pk /run | awk 'NR > 1 { print $4 }')" -gt 400000 ] || cache=
    # Hooks of the host's would change it; what else than packages a source lists is of no use here.
    cat >"$apt/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State::lists "$apt/lists";
Dir::Cache::pkgcache "$cache";
Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
CONF
    # Sources that the host is about to get are asked with those that it has.
    if [ -n "${VENOM_SOURCES-}" ]; then
        mkdir "$apt/sources"
        cp -a "${VENOM_SOURCES%/*}/." "$apt/sources/"
        printf '%b' "$VENOM_SOURCES_TEXT" >"$apt/sources/${VENOM_SOURCES##*/}"
        echo "Dir::Etc::SourceParts \"$apt/sources\";" >>"$apt/apt.conf"
    fi
    strict=
    [ "$1" = host ] || use_store
    # A source that is gone must not cost minutes.
    apt_get -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
        ${strict:+"$strict"} update 2>&1
}

# use_store: let apt ask the store alone. The sources of the host stay as its administrator wrote them.
use_store() {
    strict=--error-on=any
    place=${VENOM_STORE#*://}
    options="arch=$(dpkg --print-architecture) signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
    # Where nothing else is asked, old lists of security updates are better than none: Debian's expire after a
    # week, and nobody else could say what is newer. Debian's signature counts as ever.
    ! is_closed || options="$options check-valid-until=no"
    cat >"$apt/store.list" <<LIST
deb [$options] $VENOM_STORE/debian $codename main
deb [$options] $VENOM_STORE/debian $codename-updates main
deb [$options] $VENOM_STORE/debian-security $codename-security main
LIST
    cat >>"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/store.list";
Dir::Etc::sourceparts "$apt/no-others";
CONF
    # The host's own proxy is for the Internet.
    case $place in \[*) ;; *) echo "Acquire::http::Proxy::${place%%[:/]*} \"DIRECT\";" >>"$apt/apt.conf" ;; esac
}

# try_store PACKAGES: lists of the store; ends well where it has all that apt would fetch for them, which is in
# $would then. Else $why says what stands against it.
try_store() {
    why=$(fetch_lists store) || return 1
    would=$(apt_get --print-uris install "$@" 2>&1) || {
        why=$would
        return 1
    }
    why=$(printf '%s\n' "$would" | not_in_store)
    [ -z "$why" ] || return 1
    : >"$apt/from-store"
}

# not_in_store: of what apt would fetch (standard input), the packages that the store does not hold.
not_in_store() {
    answer=$(/usr/lib/apt/apt-helper -c "$apt/apt.conf" -o APT::Sandbox::User=root download-file \
        "$VENOM_STORE/archives/$codename.json" "$apt/held" 2>&1) || {
        echo "$answer"
        return
    }
    while read -r url file _; do
        case $url in \'"$VENOM_STORE"/*) ;; *) continue ;; esac
        url=${url#\'"$VENOM_STORE"/}
        path=$(echo "${url%\'}" | sed 's/%2b/+/g; s/%7e/~/g; s/%3a/:/g')
        grep -qF "\"$path\"" "$apt/held" || echo "E: not in the store: $file"
    done
}

# forget_lists_later: they are of use for one run.
forget_lists_later() {
    systemctl stop venom-apt.timer 2>/dev/null || true
    systemd-run --quiet --collect --unit=venom-apt --on-active=10min rm -rf "$apt" || rm -rf "$apt"
}
