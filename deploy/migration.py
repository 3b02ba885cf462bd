"""Migration: look at an older Venom, run by its Makefile or compose file, and print the inventory for it.

pyinfra -y @local deploy/migration.py --data tree=~/Venom > inventories/office.yaml
pyinfra -y --ssh-user ada @venom/box1 deploy/migration.py --data tree=/home/ada/Venom

It changes nothing. Secrets stay where they are; what cannot be carried over is named above the inventory.
"""

from fleet.verbs import options_of
from roles.migration.deploy import look_at_installation, print_inventory

print_inventory(look_at_installation(options_of("deploy/migration.py").text("tree")))
