"""The card's driver: installed where the inventory asks for it, and checked after every boot."""
