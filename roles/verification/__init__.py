"""The proof: what was installed works, judged from outside and from inside, and told as one document."""
