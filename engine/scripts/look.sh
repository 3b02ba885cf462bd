# Runs on the host: how everything stands that it is asked about. Changes nothing.
#
# What may be somebody else's (files, units, users, packages) is read by what every Debian has, so a host
# without python3 is looked at in the same words as any other. What only we have made (settings, receipt,
# weights, doors) is read by look.py beside this, where there is a python3.
#
# Arguments: the program look.py. Standard input: a line a thing, "KIND VALUE"; the last is "rest JSON".
# Prints one fact a line, "name=value", "end=yes" at last. What could not be looked at is no less a fact:
# "unseen=KIND WHY".
# Names of ours have no blank, and no pattern is meant by any: lines become arguments.
# shellcheck disable=SC2086
export LC_ALL=C
python=/usr/bin/python3 program=$1
nl='
'
paths='' settings='' links='' folders='' units='' users='' packages='' rest='{}'
# The last line may have no end.
while read -r kind value || [ -n "$kind" ]; do
    case $kind in
    path) paths="$paths$value$nl" ;;
    settings) settings="$settings$value$nl" ;;
    link) links="$links$value$nl" ;;
    folder) folders="$folders$value$nl" ;;
    unit) units="$units$value$nl" ;;
    user) users="$users$value$nl" ;;
    package) packages="$packages$value$nl" ;;
    rest) rest=$value ;;
    esac
done
IFS=$nl
set -f
exec 3>&1

# report NAME COMMAND…: a fact for each that it prints, ended by a NUL. Its errors come after them, whole:
# what is not there is no error.
report() {
    name=$1
    shift
    errors=$({ "$@" | tr '\n\0' ' \n' | sed "s/^/$name=/" >&3; } 2>&1)
    unseen path "$(printf '%s\n' "$errors" | grep -Ev ': (No such file or directory|Not a directory)$')"
}

# unseen KIND LINES
unseen() {
    [ -z "$2" ] || printf '%s\n' "$2" | sed "s/^/unseen=$1 /" >&3
}

# Larger files (archives, weights) are known by their name, which holds their key or digest. Of a file of
# settings no digest leaves the host but those that look.py mixes with the run's nonce.
set -- $paths $settings
[ $# -eq 0 ] || report path find "$@" -maxdepth 0 -printf '%p\t%y\t%m\t%u\t%g\t%l\0'
set -- $paths
if [ $# -gt 0 ]; then
    report sha256 find "$@" -maxdepth 0 -type f -size -1048577c -exec sha256sum --zero -- {} +
    report ours find "$@" -maxdepth 0 -type f -size -1048577c -exec \
        awk 'FNR <= 2 && index($0, "Managed by the Venom provisioner") { printf "%s%c", FILENAME, 0 }' {} +
fi

# Folders, each of which may be a link to one elsewhere. A file system of its own has a folder lost+found:
# it is empty all the same.
set -- $folders
if [ $# -gt 0 ]; then
    report leads find -H "$@" -maxdepth 0 -printf '%p\t%y\t%m\t%u\t%g\0'
    report holds find -H "$@" -mindepth 1 -maxdepth 1 ! -name lost+found -printf '%H\t%f\0'
fi

# Where a link of the operator's leads to, only root may put something else: not one of its folders may be
# another's, or open to all.
for folder in $folders; do
    [ -L "$folder" ] || continue
    parent=$(readlink -f "$folder")
    while [ "${parent:-/}" != / ]; do
        parent=$(dirname "$parent")
        report loose find "$parent" -maxdepth 0 '(' ! -user 0 -o -perm /022 ! -perm -1000 ')' -printf "$folder\t%p\0"
    done
done

# A link of a package's: is what it leads to as the package brought it?
for link in $links; do
    path=${link% *} package=${link##* }
    [ -L "$path" ] && [ -f "$path" ] || continue
    file=$(readlink -f "$path")
    dpkg-query --show --showformat '${Conffiles}\n' "$package" 2>/dev/null |
        grep -qF " $file $(md5sum <"$file" | cut -d ' ' -f 1)" && echo "pristine=$path"
done

shown=''
if [ -n "$units" ]; then
    properties=Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NeedDaemonReload,FragmentPath
    properties=$properties,SourcePath,NRestarts,ExecMainStartTimestamp,InactiveEnterTimestamp
    if shown=$(systemctl show --property "$properties" -- $units 2>&1); then
        printf '%s\n' "$shown" | sed 's/^/unit=/'
    else
        unseen unit "$shown"
        shown=''
    fi
fi

# Without the field that may hold a password's hash.
if [ -n "$users" ]; then
    found=$(getent passwd $users 2>&1)
    case $? in 0 | 2) printf '%s\n' "$found" | cut -d : -f 1,3- | sed 's/^/user=/' ;; *) unseen user "$found" ;; esac
    found=$(getent group 2>&1)
    case $? in 0 | 2) printf '%s\n' "$found" | cut -d : -f 1,3- | sed 's/^/group=/' ;; *) unseen user "$found" ;; esac
fi

# Status 1: some are not known to it.
if [ -n "$packages" ]; then
    errors=$(dpkg-query --show --showformat 'package=${Package} ${db:Status-Status}\n' $packages 2>&1 >&3)
    [ $? -lt 2 ] || unseen package "$errors"
fi

if [ -e "$python" ] || [ -L "$python" ]; then
    errors=$(printf '%s\n' "$rest" | "$python" -I -S -c "$program" "$shown" 2>&1 >&3) || unseen python "${errors:-it says nothing}"
else
    echo 'python=none'
fi
echo 'end=yes'
