"""Speed and memory, run by `make bench`: ratios in one run rather than absolute figures."""
