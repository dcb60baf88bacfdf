"""Row rules of the raw tables: pure functions to a Column, null where a row passes."""
