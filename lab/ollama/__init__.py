"""A stand-in for the Ollama server, packed like an Ollama release for hosts of the lab.

It stands for the real `ollama` binary, which no package registry carries. What it shares with it: the
layout of a release, the command line that a provisioner uses, the environment variables, the store on
disk, the protocol of pulling from a registry, the HTTP API (`/api/*` and `/v1/*`) and its error texts.
Weights are real, and llama.cpp (PyPI's xllamacpp) really generates from them.

How it differs: the CPU only, one model in memory at a time, a context of at most 4096 tokens whatever
is configured (and reported), one connection per download instead of sixteen and none of the second that each
blob takes, nobody is answered while a model loads, templates of the plain
`{{ .System }} {{ .Prompt }} {{ .Response }}` kind only, no creation of models, no proxies, no cloud.
`tests/lab/ollama` asks it what it asks a genuine one.

Only the standard library and xllamacpp: a lab host gets nothing else.
"""
