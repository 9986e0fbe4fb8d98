"""Which machines are nodes: joining, keys, standing, quarantine and retirement."""
