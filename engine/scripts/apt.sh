# Runs on the host, in front of the scripts that use apt: apt with lists of its own, so that asking changes
# nothing of the host's and needs no lock. Standard input: variables of the proxy, NAME=value a line, and an empty
# one; apt takes them where it has no proxy of its own (apt-transport-http(1)).
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
apt=/run/venom-apt
while IFS= read -r variable && [ -n "$variable" ]; do export "${variable?}"; done

apt_get() {
    apt-get -c "$apt/apt.conf" -q -y --no-install-recommends "$@"
}

# fetch_lists: what the host's sources have now, into lists of our own; prints what apt printed of it.
fetch_lists() {
    rm -rf "$apt"
    mkdir -p -m 0755 "$apt/lists"
    # Hooks of the host's would change it; what else than packages a source lists is of no use here.
    cat >"$apt/apt.conf" <<'CONF'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State::lists "/run/venom-apt/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
CONF
    # A source that is gone must not cost minutes.
    apt_get -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 update 2>&1
}

# forget_lists_later: they are of use for one run.
forget_lists_later() {
    systemctl stop venom-apt.timer 2>/dev/null || true
    systemd-run --quiet --collect --unit=venom-apt --on-active=10min rm -rf "$apt" || rm -rf "$apt"
}
