# Runs on the host: a command whose words count only where it fails. Arguments: the command.
said=$("$@" 2>&1) || {
    status=$?
    printf '%s\n' "$said" >&2
    exit "$status"
}
