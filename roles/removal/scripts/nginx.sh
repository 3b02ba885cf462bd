# Runs on the host once our site is gone: puts back what was out of its way, and leaves nginx as it was
# before us. Arguments: how it was then ("enabled": it started with the host); links and where each is kept.
set -eu
was=$1
shift
while [ $# -gt 0 ]; do
    if [ -L "$2" ]; then
        if [ -e "$1" ] || [ -L "$1" ]; then rm "$2"; else mv -T "$2" "$1"; fi
    fi
    shift 2
done
command -v nginx >/dev/null || exit 0
systemctl unmask --quiet --runtime nginx.service
others=$(find /etc/nginx/conf.d /etc/nginx/sites-enabled -mindepth 1 ! -name default)
if [ "$was" != enabled ] && [ -z "$others" ]; then
    systemctl disable --quiet --now nginx.service
elif systemctl --quiet is-active nginx.service; then
    # Not a reload: whoever is connected came in by our site, and another site may want its address.
    nginx -t -q
    systemctl restart nginx.service
fi
