"""`ganglion demo`: the whole loop on one machine, with real processes, real handwriting and real faults."""
