"""Bundle: all that the plans of an inventory need, in one signed folder, for a fleet without the Internet.

pyinfra -y @local deploy/bundle.py --data inventory=inventories/office.yaml
  --data to=/media/ada/disk/office --data key=~/.ssh/id_ed25519    where it is written, and who signs it
  --data part_mib=4095                                             parts that fit on a FAT disk
  --data since=/srv/bundles/office-1                               only what that one lacks
  --data "systems=debian 12,ubuntu 24.04"                          others than Debian 12 and 13

It asks no host and changes none. What was fetched is kept, so the next run goes on with it.
"""

from engine.operations import refusal_ends_this_host
from fleet.bundle.bundling import plan_bundling
from fleet.bundle.operations import bundle_made
from fleet.verbs import options_of

options = options_of("deploy/bundle.py")

with refusal_ends_this_host():
    bundle_made(name="Bundle", bundling=plan_bundling(options))
