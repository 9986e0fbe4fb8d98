"""The version of everything that hub and node say.

Unknown fields are ignored, new ones have defaults; a removed field waits two releases.
"""

SCHEMA = 1
