# Runs on the host before curl is there: what a store holds, a line each. Argument: its URL, http://HOST:PORT.
set -u
place=${1#http://}
port=${place##*:}
host=${place%:*}
host=${host#[}
host=${host%]}
case $port in *[!0-9]*) host=$place port=80 ;; esac
ask='
exec 3<>"/dev/tcp/$0/$1" || exit 1
printf "GET /held.txt HTTP/1.0\r\nHost: %s\r\n\r\n" "$0" >&3
IFS= read -r line <&3
case ${line#* } in
200*) ;;
*) echo "it answers ${line#* }" >&2; exit 1 ;;
esac
while IFS= read -r line <&3; do
    [ -n "${line%$(printf "\r")}" ] || break
done
cat <&3'
timeout 20 bash -c "$ask" "$host" "$port" </dev/null 2>/dev/null || {
    echo "no answer from $1" >&2
    exit 1
}
