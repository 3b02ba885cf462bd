"""Runs on the host: makes a directory, or gives one its owner and mode. Arguments: path, owner, mode.

The folder that it lies in may belong to a service. So no link there is followed: it could lead to a
directory of the system, which would be given away. Where only root can write, a link is the operator's,
who has put the directory on another disk: what it leads to is made so.
"""

import os
import pwd
import sys

path, owner, mode = sys.argv[1:]
user = pwd.getpwnam(owner)
os.makedirs(os.path.dirname(path), exist_ok=True)
if os.path.islink(path):
    folder = os.stat(os.path.dirname(path))
    if folder.st_uid == 0 and not folder.st_mode & 0o022 and os.path.isdir(path):
        path = os.path.realpath(path)
    else:
        os.unlink(path)
if not os.path.lexists(path):
    os.mkdir(path, 0o700)
descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
os.fchown(descriptor, user.pw_uid, user.pw_gid)
os.fchmod(descriptor, int(mode, 8))
