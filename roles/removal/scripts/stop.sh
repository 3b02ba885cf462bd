# Runs on the host: ends what runs, and lets nothing start again. Arguments: units.
set -eu
# First: a switch that is under way would start services again.
systemctl stop 'venom-job-*'
systemctl reset-failed 'venom-job-*'
rm -f /run/systemd/transient/venom-job-*
for unit in "$@"; do
    systemctl stop "$unit"
    # What systemd made for the unit goes by systemd, while the unit is known.
    if [ -n "$(systemctl show --property CacheDirectory --value "$unit")" ]; then
        systemctl clean --what=cache "$unit"
    fi
    systemctl reset-failed "$unit" 2>/dev/null || true
    # One whose file is gone is not enabled any more; links to it are.
    systemctl disable --quiet "$unit" 2>/dev/null || true
done
