# Runs on the host: removes trees. A mount point cannot go, and a link is the operator's, who put the tree
# on another disk by it: what they lead to is emptied, and is root's again, as no user of ours is left.
set -eu
for tree in "$@"; do
    if mountpoint -q "$tree" || [ -L "$tree" ]; then
        [ -d "$tree" ] || continue
        find -H "$tree" -mindepth 1 ! -path "$tree/lost+found" -delete
        chown root: "$tree"
        chmod 0755 "$tree"
    else
        rm -rf "$tree"
    fi
done
