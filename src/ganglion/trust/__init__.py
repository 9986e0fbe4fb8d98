"""Who may say what: TUF roles, signed identity assertions, single-use tokens. Pure: keys and time are arguments."""
