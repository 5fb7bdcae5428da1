"""The brokers that tests/bench/compare measures: one file each, with start, load and stop."""
