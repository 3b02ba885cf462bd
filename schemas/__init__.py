"""The ground floor: what may be declared, the contract as data, and the pure functions that resolve them."""
