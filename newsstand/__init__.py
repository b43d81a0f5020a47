"""newsstand: a replica of the sites that carry the op-eds, for the demo and for tests. All its text is invented."""
