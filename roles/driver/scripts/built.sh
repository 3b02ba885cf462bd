# Runs on the host after the driver was installed: is there a module for the kernel that boots next? Prints why not.
newest=$(for image in /boot/vmlinuz-*; do echo "${image#/boot/vmlinuz-}"; done | grep -v '[*]' | sort -V | tail -n 1)
[ -n "$newest" ] || exit 0
found=$(find "/lib/modules/$newest/" -name 'nvidia.ko*' -o -name 'nvidia-[ct]*.ko*' 2>/dev/null)
[ -z "$found" ] || exit 0
echo "kernel $newest, which boots next, has no module of NVIDIA's"
for log in /var/lib/dkms/nvidia*/*/build/make.log; do
    [ ! -e "$log" ] || { echo "$log:"; grep -E 'error|Error' "$log" | tail -n 3; }
done
