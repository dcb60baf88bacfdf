"""One adapter a data set; all give the same four raw frames."""
