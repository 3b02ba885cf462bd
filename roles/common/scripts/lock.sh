# Runs on the host while a run changes it: holds the lock as long as standard input is open, so that it
# goes with the run, however that ends. Argument: who runs what.
file=/run/venom-provisioner.lock
exec 9>>"$file"
if ! flock --nonblock 9; then
    echo "busy $(cat "$file")"
    exit 0
fi
# A run that ended properly leaves the file empty.
if [ -s "$file" ]; then echo "after $(cat "$file")"; else echo held; fi
printf '%s\n' "$1" >"$file"
if read -r word && [ "$word" = 'done' ]; then : >"$file"; fi
