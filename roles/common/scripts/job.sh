# Runs on the host, in front of every job's own lines: steps, downloads, unprivileged builds.
# The job's directory is in $JOB; what is here must work in bash on a host that has only the base packages.
set -euo pipefail
umask 022

export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
export NODE_EXTRA_CA_CERTS=$SSL_CERT_FILE CURL_CA_BUNDLE=$SSL_CERT_FILE GIT_SSL_CAINFO=$SSL_CERT_FILE

# step TEXT: what the run is told while it waits, and what the receipt's timings are made of.
step() {
    printf '%s %s\n' "$(date +%s.%N)" "$*" >>"$JOB/steps"
    printf '%s\n' "$*"
    rm -f "$JOB/progress"
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# fetch PATH SHA256 BYTES URL…: a file, from the first place that has the right one.
# It is in place once its digest is right; a cut connection is resumed.
fetch() {
    local path=$1 sha256=$2 bytes=$3 part=$1.part found said='' url
    shift 3
    mkdir -p "$(dirname "$path")"
    printf '%s %s\n' "$part" "$bytes" >"$JOB/progress"
    for url in "$@"; do
        for _ in 1 2 3; do
            if said=$(curl --fail --location --silent --show-error --connect-timeout 10 \
                --speed-limit 1024 --speed-time 20 --continue-at - --output "$part" "$url" 2>&1); then
                said=''
                break
            fi
            # What the server lacks or refuses, it will lack in a second, too.
            case $said in *'returned error: 4'*) break ;; esac
        done
        if [ -n "$said" ]; then
            printf 'source    %s\nanswered  %s\n' "$url" "$said" >&2
            [ -e "$part" ] && printf 'received  %s bytes\n' "$(stat -c %s "$part")" >&2
            continue
        fi
        found=$(sha256sum "$part" | cut -d' ' -f1)
        if [ "$found" = "$sha256" ]; then
            mv "$part" "$path"
            rm -f "$JOB/progress"
            return 0
        fi
        printf 'source    %s\nexpected  sha256 %s\nfound     sha256 %s\n' "$url" "$sha256" "$found" >&2
        rm -f "$part"
    done
    rm -f "$part"
    die "$(basename "$path") could not be had from any source: nothing of it is in place"
}

# as_builder COMMAND…: foreign build scripts run as a user who may write nothing but the build tree, and
# leave nothing in /tmp.
as_builder() {
    runuser -u venom-build -- env HOME=/var/cache/venom-build/home TMPDIR=/var/cache/venom-build/home "$@"
}
