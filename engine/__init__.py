"""What makes a host so, whatever is declared of it: resources, observation, jobs, generation and switch,
services, lock, options, outcome, remote. Its modules run on the controller; `scripts/` is sent to hosts."""
