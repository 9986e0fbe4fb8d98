"""Updates: the shell around the table, attempts, trials, and what is told of them."""
