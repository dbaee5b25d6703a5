"""Settings: when a fuse opens, how it comes back, and where operators say so."""
