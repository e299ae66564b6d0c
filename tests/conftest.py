"""What all tests share.

How hypothesis tries: at random here, and the same on every run of CI (where the environment has CI set). And the one
PostgreSQL, for those who ask for it.
"""

import os

from hypothesis import settings

from tests.postgres import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]

# No deadlines: how long an example takes says more about the machine than about the code.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
