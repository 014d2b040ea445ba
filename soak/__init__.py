"""The soak: weeks of daily operation against the simulated cloud, in minutes, with everything going wrong.

    python -m soak --days 60 --seed 7

Everything is drawn from the seed: what the tenant does, what fails and when, where a process dies, and who else
works on the same day. The library under test is the real one, and so are the protocols; only time is not.
"""
