"""What every test has at hand: real services, and rules of hygiene."""

pytest_plugins = ["tests.services", "tests.hygiene", "tests.film"]
