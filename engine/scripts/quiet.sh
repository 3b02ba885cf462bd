# Runs on the host: a command whose words count only where it fails. Arguments: the command.
output=$("$@" 2>&1) || {
    status=$?
    printf '%s\n' "$output" >&2
    exit "$status"
}
