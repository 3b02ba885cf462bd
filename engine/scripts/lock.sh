# Runs on the host while a run changes it: holds the lock as long as standard input is open, so that it
# goes with the run, however that ends; and leaves one line of it in the audit log.
# Argument: who runs what. Standard input: at the end, one line with how it ended.
file=/run/venom-provisioner.lock
log=/var/log/venom-provisioner.log
current() { basename "$(readlink /etc/venom/generations/current 2>/dev/null || echo none)" .json; }
exec 9>>"$file"
if ! flock --nonblock 9; then
    echo "busy $(cat "$file")"
    exit 0
fi
# A run that ended properly leaves the file empty.
if [ -s "$file" ]; then echo "after $(cat "$file")"; else echo held; fi
printf '%s\n' "$1" >"$file"
before=$(current)
if read -r end; then : >"$file"; else end='cut off: killed, or the connection was lost'; fi
after=$(current)
[ "$after" = "$before" ] || after="$before -> $after"
printf '%s %s: %s (%s)\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$end" "$after" >>"$log"
