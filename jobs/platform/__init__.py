"""What every job stands on: session, tables, command line, run report, run state."""
