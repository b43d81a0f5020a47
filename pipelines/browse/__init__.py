"""Pages to read in a browser: of a server on this machine, or as files."""
