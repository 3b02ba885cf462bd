"""What an inventory says of each host: inherited, checked, and as typed values."""
