# Runs on the host before curl is there: which places do not answer? Standard input: "HOST PORT" of the proxy, or
# "- 0"; what it wants to know of who asks, or "-"; then lines "HOST PORT URL HOW", where a place without TLS
# has a URL, others "-", and HOW is proxy or direct. Prints "HOST PORT WHY" of each that does not answer: WHY is
# the proxy's answer, "proxy" where that does not answer itself, and nothing of what is asked directly.
ask='
exec 3<>"/dev/tcp/$proxy_host/$proxy_port" 2>/dev/null || { echo proxy; exit; }
if [ "$url" = - ]; then
    printf "CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n" "$host" "$port" "$host" "$port" >&3
else
    printf "HEAD %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n" "$url" "$host" "$port" >&3
fi
[ "$who" = - ] || printf "Proxy-Authorization: %s\r\n" "$who" >&3
printf "\r\n" >&3
IFS= read -r line <&3 || { echo nothing; exit; }
line=${line%$(printf "\r")}
case ${line#* } in
407* | 403* | 5*) echo "${line#* }" ;;
[1-4]*) ;;
*) echo "no HTTP" ;;
esac'
read -r proxy_host proxy_port
read -r who
export proxy_host proxy_port who host port url
while read -r host port url how; do
    if [ "$how" = proxy ]; then
        (
            why=$(timeout 15 bash -c "$ask" </dev/null 2>/dev/null) || why='nothing in 15 s'
            [ -z "$why" ] || echo "$host $port $why"
        ) &
    else
        timeout 8 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null </dev/null || echo "$host $port" &
    fi
done
wait
exit 0
