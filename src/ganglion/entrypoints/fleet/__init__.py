"""The fleet as files and in words, alike for commands, pages and the demo."""
