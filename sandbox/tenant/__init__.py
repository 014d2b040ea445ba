"""The simulated Microsoft tenant: login, Graph, and the records that it lists."""
