"""What Venom's packages are published as: the guards of a release, for an operator's own CI."""
