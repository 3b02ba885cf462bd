"""Runs on the host: makes a directory, or gives one its owner and mode. Arguments: path, owner, mode.

The folder that it lies in may belong to a service. So no link there is followed: it could lead to a
directory of the system, which would be given away.
"""

import os
import pwd
import sys

path, owner, mode = sys.argv[1:]
user = pwd.getpwnam(owner)
if os.path.islink(path):
    os.unlink(path)
os.makedirs(os.path.dirname(path), exist_ok=True)
if not os.path.lexists(path):
    os.mkdir(path, 0o700)
descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
os.fchown(descriptor, user.pw_uid, user.pw_gid)
os.fchmod(descriptor, int(mode, 8))
