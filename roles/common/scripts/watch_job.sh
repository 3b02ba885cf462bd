# Runs on the host: says how a job stands. Arguments: name, the path that it makes.
job=/opt/venom/jobs/$1
unit=venom-job-$1.service
echo "state=$(systemctl is-active "$unit")"
[ -e "$2" ] && echo "made=yes"
echo "step=$(tail -n 1 "$job/steps" 2>/dev/null | cut -d' ' -f2-)"
if read -r part bytes 2>/dev/null <"$job/progress"; then
    case $part in
    /*) echo "have=$(stat -c %s "$part" 2>/dev/null || echo 0)" ;;
    *) echo "have=$part" ;; # the job counts itself
    esac
    echo "want=$bytes"
fi
exit 0
