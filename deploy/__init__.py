"""What an operator can ask for: one pyinfra script each."""
