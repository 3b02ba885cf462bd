# Runs on the host before it is rebooted for its driver: is there a module for the kernel that boots next? Prints
# nothing if there is; else that kernel, and what DKMS says of it.
newest=$(for image in /boot/vmlinuz-*; do echo "${image#/boot/vmlinuz-}"; done | grep -v '[*]' | sort -V | tail -n 1)
[ -n "$newest" ] || exit 0
found=$(find "/lib/modules/$newest/" -name 'nvidia.ko*' -o -name 'nvidia-[ct]*.ko*' 2>/dev/null)
[ -z "$found" ] || exit 0
echo "$newest"
for log in /var/lib/dkms/nvidia*/*/build/make.log; do
    [ ! -e "$log" ] || { echo "$log:"; grep -E 'error|Error' "$log" | tail -n 3; }
done
