"""Settings: when a fuse opens, how it comes back, and where the numbers come from."""
