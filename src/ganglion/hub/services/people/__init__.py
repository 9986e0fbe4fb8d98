"""People and their programs: accounts, logins, tokens."""
