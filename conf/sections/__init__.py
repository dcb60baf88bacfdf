"""One module a section of the configuration tree; `conf.schema` puts them together."""
