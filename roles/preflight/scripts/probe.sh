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
# The file system that holds each place, or will: each may be a mount of its own, or a link to another disk.
places='' holders=''
for place in /opt/venom /opt/ollama /var/lib/ollama /var/lib/venom-store /var/cache/venom /var/cache/venom-build /usr /var; do
    at=$place
    until [ -d "$at/" ]; do at=${at%/*}; done
    places="$places$place ${at:-/}
"
    holders="$holders ${at:-/}"
done
# shellcheck disable=SC2086
{
    printf '%s' "$places"
    echo
    df -k --output=file,avail,target $holders
} | awk 'NF == 0 { listed = 1; next } !listed { held[$1] = $2; next } {
    at = $1; free[at] = $2 * 1024
    sub(/^[^ ]+ +[^ ]+ +/, ""); mount[at] = $0
} END { for (place in held) if (held[place] in free) print "disk=" place " " mount[held[place]] " " free[held[place]] }'
# Packages bring scripts that dpkg runs from there; some hosts let apt mount it anew for that.
case $(findmnt --noheadings --output OPTIONS --target /var/lib/dpkg 2>/dev/null) in
*noexec*) apt-config dump DPkg::Pre-Invoke 2>/dev/null | grep -q mount || echo "noexec=/var/lib/dpkg" ;;
esac
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
# NVIDIA's display devices, as the kernel counts them: it needs no driver of theirs for that.
devices=
for device in /sys/bus/pci/devices/*; do
    case $(cat "$device/vendor" "$device/class" 2>/dev/null) in
    0x10de*0x03*)
        devices=yes
        driver=$(readlink "$device/driver")
        echo "pci=${device##*/} $(cat "$device/device") ${driver##*/}"
        ;;
    esac
done
# For which kernels a module of theirs is there or could be built, and whether Secure Boot lets it be loaded.
if [ -n "$devices" ]; then
    echo "running=$(uname -r)"
    for release in $({
        uname -r
        for image in /boot/vmlinuz-*; do echo "${image#/boot/vmlinuz-}"; done
    } | grep -v '[*]' | sort -u); do
        modules=/lib/modules/$release built=- headers=-
        [ -z "$(find "$modules/" -name 'nvidia.ko*' -o -name 'nvidia-[ct]*.ko*' 2>/dev/null)" ] || built=built
        [ ! -e "$modules/build/" ] || headers=headers
        echo "kernel=$release $built $headers"
    done
    for log in /var/lib/dkms/nvidia*/*/build/make.log; do [ ! -e "$log" ] || echo "failed=$log"; done
    echo "secureboot=$(od -An -tu1 -j4 -N1 /sys/firmware/efi/efivars/SecureBoot-* 2>/dev/null | tr -d ' ')"
    echo "key=$(mokutil --test-key /var/lib/dkms/mok.pub 2>&1)"
fi
# Which driver the kernel has loaded: an upgrade without a reboot leaves the former one there.
[ ! -r /proc/driver/nvidia/version ] || sed -n '1s/^/module=/p' /proc/driver/nvidia/version
# A driver that hangs keeps who asks it for ever.
ask_nvidia() {
    timeout 30 nvidia-smi "$@" 2>&1
    [ $? -ne 124 ] || echo 'nvidia-smi does not answer within 30 s'
}
if command -v nvidia-smi >/dev/null; then
    format=--format=csv,noheader,nounits
    cards=$(ask_nvidia --query-gpu=name,memory.total,driver_version,compute_cap,mig.mode.current,uuid $format)
    case $cards in
    # Drivers before 510 do not know all of it.
    *'not a valid field'*) cards=$(ask_nvidia --query-gpu=name,memory.total,driver_version $format) ;;
    *Enabled*) ask_nvidia -L | sed 's/^/mig=/' ;;
    esac
    printf '%s\n' "$cards" | sed 's/^/nvidia=/'
    # nvidia-smi does without the library that programs compute by.
    if [ -x /sbin/ldconfig ]; then
        library=$(/sbin/ldconfig -p | awk '$1 == "libcuda.so.1" { print $NF; exit }')
        echo "libcuda=$([ -z "$library" ] || readlink -f "$library")"
    fi
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
    # The driver whose libraries they are given then: a list that was made before an upgrade has the former's.
    cat /etc/cdi/*.yaml /etc/cdi/*.json /run/cdi/*.yaml /run/cdi/*.json 2>/dev/null |
        sed -n 's/.*libcuda\.so\.\([0-9][0-9]*\.[0-9.]*[0-9]\).*/given=\1/p' | sort -u
fi
exit 0
