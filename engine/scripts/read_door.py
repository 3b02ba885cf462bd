"""Runs on the host: what a door on this very host answers of itself.

By the socket alone: this is part of every look, and urllib takes longer to be loaded than a door to answer.
"""

import socket


def read_door(url, certificate="", timeout=5):
    """The text at a URL of this host. With TLS, `certificate` is the file whose certificate must be served.

    `nft:FILE`: the fingerprint of our table in the packet filter, which must list as FILE says.

    Raises OSError that says what was answered instead.
    """
    if url.startswith("nft:"):
        return _filter(url[len("nft:") :])
    scheme, _, rest = url.partition("://")
    place, _, path = rest.partition("/")
    host, _, port = place.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout)
    try:
        if scheme == "https":
            connection = _encrypted(connection, certificate)
        connection.sendall(("GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n" % (path, host)).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode("utf-8", "replace")
    finally:
        connection.close()
    head, _, body = answer.partition("\r\n\r\n")
    status = head.split(" ")[1:2] or ["no HTTP"]
    if status != ["200"]:
        raise OSError("status %s" % status[0])
    return body.strip()


def _filter(loaded):
    import subprocess  # most hosts have no table of ours

    command = ["nft", "--stateless", "list", "table", "inet", "venom"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise OSError("there is no table inet venom: %s" % done.stdout.splitlines()[0])
    with open(loaded, encoding="utf-8") as file:
        if file.read() != done.stdout:
            raise OSError("the rules of the table inet venom are not those that were loaded")
    return done.stdout.partition("chain fingerprint_")[2].split(" ")[0]


def _encrypted(connection, certificate):
    import ssl  # takes long, and most doors need none

    # Whom it is asked of is known: it is this host. What counts is which certificate is served.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = context.wrap_socket(connection)
    with open(certificate, encoding="ascii", errors="replace") as file:
        first, end, _ = file.read().partition(ssl.PEM_FOOTER)
    try:
        wanted = ssl.PEM_cert_to_DER_cert(first[first.index(ssl.PEM_HEADER) :] + end)
    except ValueError as error:
        raise OSError("%s: %s" % (certificate, error)) from error
    if connection.getpeercert(True) != wanted:
        raise OSError("it serves another certificate than that of %s" % certificate)
    return connection
