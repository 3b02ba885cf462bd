# Runs on the host before curl is there: which of the addresses "host port" on standard input answer?
# Prints the lines of those that do not.
while read -r host port; do
    timeout 8 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null || echo "$host $port" &
done
wait
exit 0
