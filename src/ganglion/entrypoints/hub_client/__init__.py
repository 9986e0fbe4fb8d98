"""What people and programs ask a hub for, over one pinned and authenticated line."""
