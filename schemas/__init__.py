"""The ground floor: what may be declared, the contract as data, and the pure functions that resolve them."""

import sys

# pyinfra turns this off for the deploy files that it reads; our modules would be compiled in every run.
sys.dont_write_bytecode = False
