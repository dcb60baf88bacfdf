"""The audit of human grades: engagement against the grade, second reading, taxonomy, decision."""
