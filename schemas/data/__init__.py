"""What is known before any inventory: the contract, pins, packages of Venom, dependencies, locks."""
