"""Hypothesis profiles, chosen by the environment variable HYPOTHESIS_PROFILE.

`default` is for every run, `ci` and `quick` are for the first and for the other Pythons of a
machine that has many to try, `thorough` is for an idle hour. No profile has a deadline: under
coverage the first example is always slow.
"""

import os

from hypothesis import HealthCheck, settings

# The parent is named, because Hypothesis chooses another one where it sees a CI server.
BASE = settings(
    settings.get_profile("default"),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)

settings.register_profile("default", BASE, max_examples=100)
settings.register_profile("ci", BASE, max_examples=30)
settings.register_profile("quick", BASE, max_examples=15)
settings.register_profile("thorough", BASE, max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
