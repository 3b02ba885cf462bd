# Runs on the host: says how a job stands. Arguments: name, the path that it makes.
job=/opt/venom/jobs/$1
unit=venom-job-$1.service
echo "state=$(systemctl is-active "$unit")"
[ -e "$2" ] && echo "made=yes"
awk -v now="$(date +%s)" '
    NR == 1 { first = $1 }
    { at = $1; sub(/^[^ ]* /, ""); step = $0 }
    END {
        if (step == "done") now = at
        if (NR) printf "step=%s\nstep_seconds=%d\nseconds=%d\n", step, now - at, now - first
    }
' "$job/steps" 2>/dev/null
awk '{ sum += $1 } END { printf "fetched=%.0f\n", sum }' "$job/fetched" 2>/dev/null
# What is counted, how much of it there will be (0: nobody knows), and how to count it.
if read -r kind want how 2>/dev/null <"$job/progress"; then
    case $kind in
    file) # a file that grows
        echo "unit=bytes"
        echo "have=$(stat -c %s "$how" 2>/dev/null || echo 0)"
        ;;
    bytes) # the job counts itself
        echo "unit=bytes"
        echo "have=$how"
        ;;
    packages) # paths of these patterns
        echo "unit=packages"
        have=0
        for path in $how; do
            [ -e "$path" ] && have=$((have + 1))
        done
        echo "have=$have"
        ;;
    phase) # the last of these that the tool has printed
        echo "phase=$(grep -oE "$how" "$job/log" 2>/dev/null | tail -n 1)"
        ;;
    esac
    echo "want=$want"
fi
exit 0
