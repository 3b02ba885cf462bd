"""pyinfra reads this before the inventory: a command that cannot do what was meant ends here."""

from fleet.command import refuse_what_cannot_be_meant

refuse_what_cannot_be_meant()
