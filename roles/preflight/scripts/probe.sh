# Runs on the host before anything is installed there: POSIX sh and Debian's essential packages only.
# Prints one fact a line, "name=value"; changes nothing.
export LC_ALL=C
. /etc/os-release 2>/dev/null
echo "os=${ID:-unknown} ${VERSION_ID:-unknown}"
echo "arch=$(dpkg --print-architecture 2>/dev/null || uname -m)"
echo "uid=$(id -u)"
echo "init=$(cat /proc/1/comm 2>/dev/null)"
echo "python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
echo "memory=$(awk '/^MemTotal:/ {print $2 * 1024}' /proc/meminfo)"
for folder in /opt /var /etc; do
    df -Pk "$folder" | awk -v folder="$folder" 'NR == 2 {print "disk=" folder " " $6 " " $4 * 1024}'
done
# Who listens where: address, process, and the unit that it belongs to.
ss -ltnpH 2>/dev/null | while read -r _ _ _ address _ users; do
    pid=$(printf '%s' "$users" | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
    process=$(printf '%s' "$users" | sed -n 's/^users:(("\([^"]*\)".*/\1/p' | tr ' ' '_')
    unit=$(sed -n 's|.*/\([^/]*\.service\).*|\1|p' "/proc/${pid:-none}/cgroup" 2>/dev/null | head -n 1)
    echo "listen=$address ${pid:-?} ${process:-?} ${unit:-?}"
done
if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,memory.total,driver_version,compute_cap --format=csv,noheader,nounits 2>&1 |
        sed 's/^/nvidia=/'
fi
for card in /sys/class/drm/card*/device; do
    if [ "$(cat "$card/vendor" 2>/dev/null)" = 0x1002 ] && [ -r "$card/mem_info_vram_total" ]; then
        echo "amd=$(cat "$card/product_name" 2>/dev/null || true)|$(cat "$card/mem_info_vram_total")"
    fi
done
# Where this host gets its packages from.
apt-get indextargets --format '$(SITE)' 2>/dev/null | sort -u | sed 's/^/apt=/'
exit 0
