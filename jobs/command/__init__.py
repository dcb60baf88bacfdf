"""The command line: arguments, exit codes, causes of errors."""
