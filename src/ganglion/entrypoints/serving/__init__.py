"""What both serving processes are made of: core, edges, and the watch over runs that hang."""
