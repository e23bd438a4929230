"""What every test has at hand: real services, and rules of hygiene."""

from hypothesis import settings

pytest_plugins = ["tests.services", "tests.hygiene", "tests.film"]

settings.register_profile("patient", deadline=None)  # a busy machine is no fault
settings.load_profile("patient")
