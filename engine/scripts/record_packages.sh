# Runs on the host before packages are installed: records in the audit log which of them it lacks, since
# removal cannot know later which were there before us. Arguments: the log, packages.
log=$1
shift
missing=
for name in "$@"; do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed ||
        missing="$missing $name"
done
[ -z "$missing" ] || echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) installs Debian packages:$missing" >>"$log"
