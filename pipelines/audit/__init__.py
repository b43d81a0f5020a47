"""Does everything in the bucket fit? Log, objects, tables, index: each is recomputed from what it was made of."""
