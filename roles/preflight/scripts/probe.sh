# Runs on the host before anything is installed there: POSIX sh and Debian's essential packages only.
# Prints one fact a line, "name=value"; changes nothing. Argument: yes, where containers are planned.
export LC_ALL=C
. /etc/os-release 2>/dev/null
echo "os=${ID:-unknown} ${VERSION_ID:-unknown}"
echo "arch=$(dpkg --print-architecture 2>/dev/null || uname -m)"
echo "uid=$(id -u)"
echo "clock=$(date +%s)"
echo "init=$(cat /proc/1/comm 2>/dev/null)"
echo "python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
echo "memory=$(awk '/^MemTotal:/ {print $2 * 1024}' /proc/meminfo)"
df -k --output=file,target,avail /opt /var /etc | awk 'NR > 1 {print "disk=" $1 " " $2 " " $3 * 1024}'
# Who listens where: address, process, and the unit that it belongs to. Docker puts containers into scopes
# of its own: the label of ours says which unit runs one.
{
    ! command -v docker >/dev/null ||
        timeout 10 docker ps --no-trunc --filter label=io.venom.unit \
            --format 'ours docker-{{.ID}}.scope {{.Label "io.venom.unit"}}' 2>/dev/null
    ss -ltnpH 2>/dev/null
} | awk '$1 == "ours" { ours[$2] = $3; next } {
    pid = process = unit = "?"
    if (match($0, /pid=[0-9]+/)) pid = substr($0, RSTART + 4, RLENGTH - 4)
    if (match($0, /\(\("[^"]*/)) process = substr($0, RSTART + 3, RLENGTH - 3)
    gsub(/ /, "_", process)
    file = "/proc/" pid "/cgroup"
    while ((getline line < file) > 0)
        for (i = split(line, part, "/"); i > 1 && unit == "?"; i--)
            if (part[i] ~ /\.service$/ || part[i] ~ /^(libpod|docker)-.*\.scope$/) unit = part[i]
    close(file)
    if (unit ~ /\.scope$/ && match(line, /user@[0-9]+\.service/))
        unit = unit "@" substr(line, RSTART + 5, RLENGTH - 13)
    if (unit in ours) unit = ours[unit]
    print "listen=" $4 " " pid " " process " " unit
}'
if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,memory.total,driver_version,compute_cap --format=csv,noheader,nounits 2>&1 |
        sed 's/^/nvidia=/'
fi
for card in /sys/class/drm/card*/device; do
    if [ "$(cat "$card/vendor" 2>/dev/null)" = 0x1002 ] && [ -r "$card/mem_info_vram_total" ]; then
        echo "amd=$(cat "$card/product_name" 2>/dev/null || true)|$(cat "$card/mem_info_vram_total")"
    fi
done
if [ "$1" = yes ]; then
    echo "podman=$(podman --version 2>/dev/null | awk '{print $NF}')"
    echo "docker=$(systemctl is-active docker.service 2>/dev/null)"
    # Which cards containers can be given by name.
    cat /etc/cdi/*.yaml /etc/cdi/*.json /run/cdi/*.yaml /run/cdi/*.json 2>/dev/null |
        grep -oE '"?kind"?: *"?[a-z.]+/[a-z]+' | grep -oE '[a-z.]+/[a-z]+$' | sort -u | sed 's/^/cdi=/'
fi
exit 0
