# Runs on the host before the first change: how nginx stands there. Prints one fact a line; changes nothing.
command -v nginx >/dev/null || exit 0
nginx -t -q 2>&1 | sed -E 's/^[0-9/]+ [0-9:]+ (\[[a-z]+\]) [0-9#]+:/\1/; s/^/broken=/'
nginx -T 2>/dev/null | awk '
    /^# configuration file / { file = $4; sub(/:$/, "", file) }
    {
        sub(/#.*/, "")
        for (i = split($0, part, /[;{}]/); i > 0; i--) {
            if (part[i] ~ /^[ \t]*listen[ \t]/) { split(part[i], word, /[ \t]+/); print "listen=" file " " word[word[1] == "" ? 3 : 2] }
            if (part[i] ~ /^[ \t]*user[ \t]/) { split(part[i], word, /[ \t]+/); print "user=" word[word[1] == "" ? 3 : 2] }
        }
    }'
exit 0
