# Runs on the host, in front of every job's own lines: steps, downloads, unprivileged builds.
# The job's directory is in $JOB; what is here must work in bash on a host that has only the base packages.
set -euo pipefail
umask 022

export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
export NODE_EXTRA_CA_CERTS=$SSL_CERT_FILE CURL_CA_BUNDLE=$SSL_CERT_FILE GIT_SSL_CAINFO=$SSL_CERT_FILE

# The proxy, where the inventory names one: every tool here knows these variables.
if [ -r /etc/venom/proxy.env ]; then
    set -a
    # shellcheck source=/dev/null
    . /etc/venom/proxy.env
    set +a
fi

# step TEXT: what the run shows while it waits, and what the receipt's timings are made of.
step() {
    printf '%s %s\n' "$(date +%s.%N)" "$*" >>"$JOB/steps"
    printf '%s\n' "$*"
    rm -f "$JOB/progress"
}

# counted WANT PATTERN…: while this step lasts, each path that matches is a package that it has got.
counted() {
    printf 'packages %s\n' "$*" >"$JOB/progress"
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# runs WHAT COMMAND…: proves that a foreign program runs here; where it does not, prints what it printed itself.
runs() {
    local what=$1 output status=0
    shift
    output=$("$@" 2>&1) || status=$?
    [ "$status" -eq 0 ] && return
    printf 'required  %s that runs on this host\n' "$what" >&2
    printf 'found     %s ended with status %s and printed:\n' "$(basename "$1") ${*:2}" "$status" >&2
    printf '%s\n' "${output:-nothing}" | head -n 12 | sed 's/^/          /' >&2
    printf 'do        repair on the host what it names, or pin a build for such a host (%s)\n' "$(uname -m)" >&2
    die 'nothing of it is in place'
}

# What a job makes that is of no use unless it gets to its end: goes where it fails.
half=()
ended() {
    local status=$? path few=8
    [ "$status" -eq 0 ] && return
    # Before it goes: what of it is on a file system that is full? What is left there may be a few blocks;
    # or more, where a tool that found no room has tidied up since.
    if found_no_room; then few=2048; fi
    for path in "${half[@]}"; do full "$path" "$few" >&2; done
    rm -rf "${half[@]}"
}
trap ended EXIT

# found_no_room: whether something of this job has reported so.
found_no_room() {
    journalctl --sync 2>/dev/null || true
    {
        cat "$JOB/log" || true
        journalctl --quiet --output=cat "_SYSTEMD_INVOCATION_ID=${INVOCATION_ID:-none}" || true
    } 2>/dev/null | grep -E 'ENOSPC|No space left on device' >/dev/null
}

# full PATH MB: reports if the file system that holds it has less than that left.
full() {
    local folder mount size free
    folder=$(dirname "$1")
    [ -e "$1" ] || return 0
    read -r size free mount < <(df -Pm "$folder" | awk 'NR == 2 {print $2, $4, $6}') || return 0
    [ "$free" -lt "$2" ] || return 0
    printf 'required  more room in %s: it is on %s, a file system of %s MB\n' "$folder" "$mount" "$size"
    printf 'found     %s MB free; the %s MB of unfinished work are deleted now\n' \
        "$free" "$(du -sm "$1" | cut -f1)"
    printf 'do        free some space there, or enlarge it, and run again\n'
}

# Below the URL `gated` a place is told who asks, by the file of curl's that `token` names and that holds the
# header; no other place is.
gated='' token=''

# fetch PATH SHA256 BYTES URL…: a file, from the first place that has the right one.
# It is in place once its digest is right; a cut connection is resumed.
fetch() {
    # Archives of two versions may have one name: what is resumed is of this one.
    local path=$1 sha256=$2 bytes=$3 part=$1.${2:0:8}.part found errors='' url folder free as
    folder=$(dirname "$path")
    shift 3
    mkdir -p "$folder"
    half+=("$part" "$path")
    found=$(stat -c %s "$part" 2>/dev/null || echo 0)
    free=$(df -Pk "$folder" | awk 'NR == 2 {print $4}')
    if [ $((free * 1024)) -lt $((bytes - found)) ]; then
        printf 'required  %s MB free in %s for %s\n' $(((bytes - found) / 1000000 + 1)) "$folder" "$(basename "$path")" >&2
        printf 'found     %s MB\ndo        free some space, and run again\n' $((free / 1000)) >&2
        die "nothing of it is in place"
    fi
    printf 'file %s %s\n' "$bytes" "$part" >"$JOB/progress"
    for url in "$@"; do
        as=()
        if [ -n "$token" ] && [[ $url == "$gated"/* ]]; then as=(--config "$token"); fi
        for _ in 1 2 3; do
            if errors=$(curl "${as[@]}" --fail --location --silent --show-error --connect-timeout 10 \
                --speed-limit 1024 --speed-time 20 --continue-at - --output "$part" "$url" 2>&1); then
                errors=''
                break
            fi
            case $errors in
            # There is nothing beyond what a job had that was killed before it looked at the digest.
            *'returned error: 416'*)
                errors=''
                break
                ;;
            # What the server lacks or refuses, it will lack in a second, too.
            *'returned error: 4'*) break ;;
            esac
        done
        if [ -n "$errors" ]; then
            printf 'source    %s\nanswered  %s\n' "$url" "$errors" >&2
            [ -e "$part" ] && printf 'received  %s bytes\n' "$(stat -c %s "$part")" >&2
            if [ -n "$gated" ] && [[ $url == "$gated"/* && $errors == *'returned error: 40'[13]* ]]; then
                printf 'do        accept its terms there, and name a token that may read it: HF_TOKEN in secrets\n' >&2
            fi
            continue
        fi
        found=$(sha256sum "$part" | cut -d' ' -f1)
        if [ "$found" = "$sha256" ]; then
            mv "$part" "$path"
            rm -f "$JOB/progress"
            printf '%s\n' "$bytes" >>"$JOB/fetched"
            return 0
        fi
        printf 'source    %s\nexpected  sha256 %s\nfound     sha256 %s\n' "$url" "$sha256" "$found" >&2
        rm -f "$part"
    done
    die "$(basename "$path") could not be had from any source: nothing of it is in place"
}

# as_builder COMMAND…: foreign build scripts run as a user who may write nothing but the build tree, and
# leave nothing in /tmp.
as_builder() {
    runuser -u venom-build -- env HOME=/var/cache/venom-build/home TMPDIR=/var/cache/venom-build/home "$@"
}
