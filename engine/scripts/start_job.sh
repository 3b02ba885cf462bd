# Runs on the host: starts a job as a transient unit, or finds the same job running already.
# Arguments: name, key. Standard input: the job's script.
set -eu
job=/opt/venom/jobs/$1
unit=venom-job-$1.service
description="Venom job $1 $2"
state=$(systemctl is-active "$unit" || true)
if [ "$state" = active ] || [ "$state" = activating ]; then
    if [ "$(systemctl show --property Description --value "$unit")" = "$description" ]; then
        cat >/dev/null
        exit 0
    fi
    # Made for another plan: what it builds is not wanted any more.
    systemctl stop "$unit"
fi
systemctl reset-failed "$unit" 2>/dev/null || true
rm -rf "$job"
# A home of its own: foreign programs want one, and what they leave there or look for is not root's.
mkdir -p -m 0700 "$job" "$job/home"
cat >"$job/script"
tries=0
# Builds load what they have built, also where the host's /var is mounted noexec.
# What it receives is counted for its unit, as far as the kernel lets systemd count.
received="-/bin/sh -c 'systemctl show --property=IPIngressBytes --value $unit >$job/received'"
# A daemon-reload while a job runs makes systemd keep its transient unit after its end.
until errors=$(
    systemd-run --quiet --unit="$unit" --description="$description" \
        --setenv=JOB="$job" --setenv=HOME="$job/home" --setenv=PATH="$PATH" \
        --property=KillMode=control-group --property=TimeoutStopSec=10 \
        --property=ExecPaths=/var/cache/venom-build --property=IPAccounting=yes --property=ExecStopPost="$received" \
        bash "$job/script" 2>&1
); do
    tries=$((tries + 1))
    case $errors in *'already loaded'*) ;; *) tries=50 ;; esac
    if [ "$tries" -ge 50 ]; then
        echo "$errors" >&2
        exit 1
    fi
    rm -f "/run/systemd/transient/$unit"
    systemctl daemon-reload
    sleep 0.1
done
