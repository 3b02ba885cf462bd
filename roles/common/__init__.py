"""What several roles need and no role is: looking at a host, declaring its state, long jobs, services."""
