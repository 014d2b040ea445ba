"""Entra Lake on this machine beside the simulated cloud: `make run` and `make up`."""
