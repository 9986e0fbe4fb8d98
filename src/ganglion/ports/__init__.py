"""What the services need from the world, as Protocols. Adapters implement them; the test kit fakes them."""
