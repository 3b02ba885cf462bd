"""What a published plan is, for who signs it and for the host that reads it.

First the armoured signature of ssh-keygen, then JSON. In one file, so that one rename publishes both.
"""

# What else the key signs (commits, bundles) is no plan.
NAMESPACE = "venom-pull"
# Of the JSON: another one needs another program on the host.
FORM = 1
END = "-----END SSH SIGNATURE-----\n"
