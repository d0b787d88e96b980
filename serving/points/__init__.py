"""Point reads: a copy of the speed layer's sessions and product counts in Cassandra, by key."""
