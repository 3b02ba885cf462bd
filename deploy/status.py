"""Status: how each host stands, and what of it is neither as it was left nor as the inventory says.

pyinfra -y inventories/lab.py deploy/status.py        a table for each host
pyinfra --json inventories/lab.py deploy/status.py    one document, alone on standard output

It changes nothing and takes no lock. Exit status: 0 all in sync, 2 drift, 1 a host that could not be
reached, planned or looked at.
"""

from engine.command_line import command_line
from fleet.standing import status_of
from fleet.verbs import declared_host, options_of
from roles.status.deploy import report_host

options = options_of("deploy/status.py")
declared = declared_host()

report_host(status_of(declared), json_form=options.flag("json") or command_line().json)
