"""One module a job; each makes the tables that its docstring names."""
