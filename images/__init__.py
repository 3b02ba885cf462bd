"""Container images as an operator names them: a tag is resolved to its digest once, and never at run time."""
