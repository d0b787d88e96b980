"""The local stack: all servers of Rivermeet on this machine, started and ended together."""
