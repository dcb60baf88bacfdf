"""Pure DataFrame -> DataFrame functions, feature declarations and table contracts."""
