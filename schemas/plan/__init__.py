"""From what is declared to what a host is to be: pure functions, and how a plan is shown."""
