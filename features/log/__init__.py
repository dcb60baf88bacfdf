"""The log as features see it: events by day, windows, examination."""
