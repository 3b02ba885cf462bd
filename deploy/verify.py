"""Verify: whether each host does what its profile promises, tried from outside and from inside.

pyinfra -y inventories/lab.py deploy/verify.py
pyinfra -y --data suites=yes inventories/lab.py deploy/verify.py    runs Venom's own suites, too

It changes nothing on a host but what two chats leave there, and a line with its figures. The report
lies in reports/<UTC time>/.
Exit status: 0 every host is accepted, 1 not.
"""

from fleet.standing import acceptance_of
from fleet.verbs import declared_host, options_of
from roles.verification.deploy import documents, report_acceptance

options = options_of("deploy/verify.py")
declared = declared_host()

report_acceptance(acceptance_of(declared, suites=options.flag("suites")), documents)
