"""What every test has at hand: real services, rules of hygiene, and how long Hypothesis plays."""

from hypothesis import HealthCheck, Phase, settings

pytest_plugins = ["tests.services", "tests.hygiene", "tests.film", "tests.browser"]

_PATIENT = settings(deadline=None)  # a busy machine is no fault
settings.register_profile("patient", _PATIENT)
settings.load_profile("patient")

_MODEL = settings(
    _PATIENT,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.reuse, Phase.generate],  # to shrink a game of the model takes minutes
    print_blob=True,
)
settings.register_profile("model", _MODEL, max_examples=15, stateful_step_count=40)
settings.register_profile("chaos", _MODEL, max_examples=150, stateful_step_count=50)
settings.register_profile("soak", _MODEL, max_examples=3000, stateful_step_count=80)
