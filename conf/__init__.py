"""The configuration of a run: a typed, frozen tree, and the reader of the YAML files beside it."""
