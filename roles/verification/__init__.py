"""The proof: what was installed works, judged from outside and from inside, and reported as one document."""
