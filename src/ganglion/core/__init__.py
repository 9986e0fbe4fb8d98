"""Words everyone shares: ids, errors, manifest, transition tables, histogram, drift. Pure: no I/O, no clock."""
