"""The manifests for Kubernetes, checked without a cluster: schemas, references, settings, commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import click
import kubernetes_validate
import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from ruamel.yaml import YAML

from inspector.cli import main
from inspector.settings import load_settings
from tests.unit.infra.test_compose import SECRET, image_environment, instructions, variables_of_settings

ROOT: Final = Path(__file__).parents[3]
MANIFESTS: Final = ROOT / "infra" / "kubernetes"
VERSIONS: Final = ("1.30", "1.37")  # the oldest that knows all we use, and the newest whose schemas we have
OF_KUSTOMIZE: Final = ("kustomization.yaml", "names.yaml")
PATCHES: Final = ("bubblewrap/worker.yaml", "example/accounts.yaml")
PROGRAMS: Final = ("bootstrap", "web", "worker")

Manifest = dict[str, Any]


def load(path: Path) -> list[Manifest]:
    return list(YAML(typ="safe", pure=True).load_all(path))


@cache
def manifests() -> list[Manifest]:
    """Every object of base and example, as it is written."""
    files = [path for path in sorted(MANIFESTS.rglob("*.yaml")) if path.name not in OF_KUSTOMIZE]
    return [each for path in files if str(path.relative_to(MANIFESTS)) not in PATCHES for each in load(path)]


def named(kind: str, name: str) -> Manifest:
    (found,) = (each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pod_of(program: str) -> Any:
    """The template of a program's pods."""
    kind = "Job" if program == "bootstrap" else "Deployment"
    return named(kind, f"inspector-{program}")["spec"]["template"]


def container(program: str) -> Any:
    (only,) = pod_of(program)["spec"]["containers"]
    return only


def merged(base: Any, patch: Any) -> Any:
    """A strategic merge, as far as our patches need it: lists by the names of their items."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return {key: merged(base.get(key), patch.get(key, base.get(key))) for key in {**base, **patch}}
    if isinstance(base, list) and isinstance(patch, list) and all("name" in each for each in patch):
        by_name = {each["name"]: each for each in base}
        for each in patch:
            by_name[each["name"]] = merged(by_name.get(each["name"]), each)
        return list(by_name.values())
    return base if patch is None else patch


def patched() -> list[Manifest]:
    """What the patches make of the objects that they name."""
    patches = [each for path in PATCHES for each in load(MANIFESTS / path)]
    return [merged(named(each["kind"], each["metadata"]["name"]), each) for each in patches]


def title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def variables(path: str) -> dict[str, str]:
    lines = (MANIFESTS / path).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


# ---------------------------------------------------------------- schemas


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", [*manifests(), *patched()], ids=title)
def test_every_object_is_what_its_schema_says(manifest: Manifest, version: str) -> None:
    if manifest["apiVersion"].startswith("keda.sh/"):
        KEDA.validate_python(manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


class Shape(BaseModel):
    """What KEDA's resources may hold, as far as we use it. Source: KEDA's documentation, v2.17."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Named(Shape):
    name: str


class SecretKey(Shape):
    parameter: Literal["connection"]
    name: str
    key: str


class Authentication(Shape):
    secretTargetRef: list[SecretKey]  # noqa: N815 - KEDA's names


class TriggerAuthentication(Shape):
    apiVersion: Literal["keda.sh/v1alpha1"]  # noqa: N815
    kind: Literal["TriggerAuthentication"]
    metadata: Named
    spec: Authentication


class Query(Shape):
    query: str
    targetQueryValue: str = Field(pattern=r"^[0-9.]+$")  # noqa: N815


class Trigger(Shape):
    type: Literal["postgresql"]
    metricType: Literal["AverageValue", "Value"]  # noqa: N815
    metadata: Query
    authenticationRef: Named  # noqa: N815


class ScaleDown(Shape):
    stabilizationWindowSeconds: int = Field(ge=0, le=3600)  # noqa: N815


class Behavior(Shape):
    scaleDown: ScaleDown  # noqa: N815


class Autoscaler(Shape):
    behavior: Behavior


class Advanced(Shape):
    horizontalPodAutoscalerConfig: Autoscaler  # noqa: N815


class Scaling(Shape):
    scaleTargetRef: Named  # noqa: N815
    minReplicaCount: int = Field(ge=0)  # noqa: N815
    maxReplicaCount: int  # noqa: N815
    pollingInterval: int  # noqa: N815
    advanced: Advanced
    triggers: list[Trigger]


class ScaledObject(Shape):
    apiVersion: Literal["keda.sh/v1alpha1"]  # noqa: N815
    kind: Literal["ScaledObject"]
    metadata: Named
    spec: Scaling


KEDA: Final = TypeAdapter[ScaledObject | TriggerAuthentication](
    Annotated[ScaledObject | TriggerAuthentication, Field(discriminator="kind")]
)


# ---------------------------------------------------------------- what names what


def test_kustomizations_name_files_that_exist_and_leave_none_out() -> None:
    listed = set()
    for path in MANIFESTS.rglob("kustomization.yaml"):
        (one,) = load(path)
        generators = [*one.get("configMapGenerator", []), *one.get("secretGenerator", [])]
        files = [
            *one.get("resources", []),
            *one.get("configurations", []),
            *(patch["path"] for patch in one.get("patches", [])),
            *(env for each in generators for env in each["envs"]),
        ]
        listed |= {(path.parent / file).resolve() for file in files}
    listed = {
        path.with_name("secrets.env.example") if path.name == "secrets.env" else path for path in listed
    }
    assert all(path.exists() for path in listed)
    there = {path for path in MANIFESTS.rglob("*") if path.is_file() and path.name != "kustomization.yaml"}
    assert {path for path in there if path.name != "secrets.env"} == {p for p in listed if p.is_file()}


def test_everything_that_is_referred_to_is_there() -> None:
    secret = set(variables("example/secrets.env.example"))
    for program in PROGRAMS:
        pod = pod_of(program)["spec"]
        assert named("ServiceAccount", pod["serviceAccountName"])
        volumes = {each["name"] for each in pod["volumes"]}
        assert {each["name"] for each in container(program)["volumeMounts"]} == volumes
        keys = [
            each["valueFrom"]["secretKeyRef"] for each in container(program)["env"] if "valueFrom" in each
        ]
        assert {each["name"] for each in keys} == {"inspector"}
        assert {each["key"] for each in keys} <= secret
    (key,) = named("TriggerAuthentication", "inspector-database")["spec"]["secretTargetRef"]
    assert (key["name"], key["key"]) == ("inspector", "DATABASE_URL")
    scaling = named("ScaledObject", "inspector-worker")["spec"]
    assert named("Deployment", scaling["scaleTargetRef"]["name"])
    assert "replicas" not in named("Deployment", scaling["scaleTargetRef"]["name"])["spec"]


def test_selectors_select_the_pods_they_are_meant_for() -> None:
    labels = {program: pod_of(program)["metadata"]["labels"] for program in PROGRAMS}
    for program in ("web", "worker"):
        name = f"inspector-{program}"
        selectors = [
            named("Deployment", name)["spec"]["selector"]["matchLabels"],
            named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"],
            named("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"],
        ]
        assert selectors == [labels[program]] * 3
    assert named("Service", "inspector-web")["spec"]["selector"] == labels["web"]
    job = named("Job", "inspector-bootstrap")["metadata"]["labels"]
    assert job == labels["bootstrap"]
    (all_of_ours,) = load(MANIFESTS / "base" / "kustomization.yaml")[0]["labels"]
    assert all_of_ours["includeTemplates"]
    assert named("NetworkPolicy", "inspector")["spec"]["podSelector"]["matchLabels"] == all_of_ours["pairs"]


def test_the_image_of_the_overlay_is_that_of_the_base() -> None:
    (image,) = load(MANIFESTS / "example" / "kustomization.yaml")[0]["images"]
    assert {container(program)["image"] for program in PROGRAMS} == {image["name"]}


# ---------------------------------------------------------------- what Kustomize makes of it


def kustomized(overlay: Path) -> list[Manifest]:
    kubectl = shutil.which("kubectl") or str(ROOT / "build" / "kubectl")  # which `make test` puts there
    command = [kubectl, "kustomize", str(overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(YAML(typ="safe", pure=True).load_all(done.stdout))


@pytest.fixture(scope="module", params=["example", "example with bubblewrap"])
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The example as the guide has it copied and filled in."""
    folder = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(MANIFESTS, folder)
    overlay = folder / "example"
    (overlay / "secrets.env").write_text(f"DATABASE_URL=postgresql://u@db/i\nINSPECTOR_TOKEN={SECRET}\n")
    if request.param != "example":
        kustomization = overlay / "kustomization.yaml"
        text = kustomization.read_text()
        kustomization.write_text(text.replace("# components:\n#   -", "components:\n  -"))
        assert text != kustomization.read_text()
    return kustomized(overlay)


def only(objects: list[Manifest], kind: str, name: str = "") -> Manifest:
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"].startswith(name))
    return found


def test_what_kustomize_makes_is_what_the_schemas_say(ours: list[Manifest]) -> None:
    for manifest in ours:
        if manifest["apiVersion"].startswith("keda.sh/"):
            shorn = {**manifest, "metadata": {"name": manifest["metadata"]["name"]}}
            KEDA.validate_python(shorn)
        else:
            kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)
        assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "inspector"


def test_what_kustomize_renames_is_found_under_its_new_name(ours: list[Manifest]) -> None:
    secret, settings = (only(ours, kind)["metadata"]["name"] for kind in ("Secret", "ConfigMap"))
    assert secret != "inspector" != settings
    (key,) = only(ours, "TriggerAuthentication")["spec"]["secretTargetRef"]
    assert key["name"] == secret
    programs = ("Job", ""), ("Deployment", "inspector-web"), ("Deployment", "inspector-worker")
    for kind, name in programs:
        (container,) = only(ours, kind, name)["spec"]["template"]["spec"]["containers"]
        assert {each["configMapRef"]["name"] for each in container["envFrom"][:1]} == {settings}
        refs = [each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each]
        assert set(refs) == {secret}
        assert container["image"] == "registry.example.com/video-inspector:1"


def test_the_guide_upgrades_with_all_that_bootstrap_needs(ours: list[Manifest]) -> None:
    """Not the job alone: a changed setting has a new name, which it would wait for."""
    guide = (ROOT / "docs" / "deploy-kubernetes.md").read_text()
    (left_out,) = re.findall(r"-l 'app\.kubernetes\.io/name notin \((.*?)\)'", guide)
    assert left_out.split(", ") == ["inspector-web", "inspector-worker"]
    labels = [(o, o["metadata"].get("labels", {}).get("app.kubernetes.io/name")) for o in ours]
    first = [o["kind"] for o, name in labels if name not in left_out.split(", ")]
    assert {"Job", "Secret", "ConfigMap", "ServiceAccount", "NetworkPolicy"} <= set(first)
    assert "Deployment" not in first, "the programs of before go on until the tables are there"


# ---------------------------------------------------------------- settings and commands


def environment(program: str) -> dict[str, str]:
    """What a container of the example has in its environment."""
    own = {each["name"]: each.get("value", SECRET) for each in container(program)["env"]}
    if "DATABASE_URL" in own:
        own["DATABASE_URL"] = "postgresql://inspector@database/inspector"
    return {**variables("base/inspector.env"), **variables("example/inspector.env"), **own}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_environment_makes_valid_settings(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(program)
    assert set(given) <= variables_of_settings()
    for name, value in {**image_environment(), **given}.items():
        if name in variables_of_settings():
            monkeypatch.setenv(name, value)
    settings = load_settings(_env_file="")
    assert settings.has_s3
    assert settings.database_url is not None
    assert settings.has_tokens == (program == "web")
    mounted = {each["mountPath"] for each in container(program)["volumeMounts"]}
    assert mounted == ({"/tmp", str(settings.scratch)} if program == "worker" else {"/tmp"})  # noqa: S108


def test_secrets_are_settings_that_have_to_be_filled_in() -> None:
    assert set(variables("example/secrets.env.example").values()) == {""}
    assert set(variables("example/secrets.env.example")) <= variables_of_settings()
    assert "infra/kubernetes/**/secrets.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_is_one_of_the_inspector(program: str) -> None:
    name, *arguments = container(program)["args"]
    assert container(program)["command"] == ["inspector"], "bootstrap is a job of its own"
    found = main.get_command(click.Context(main), name)
    assert found is not None
    found.make_context(name, list(arguments))  # raises if an option does not exist


def test_ports_are_those_that_are_listened_on() -> None:
    settings = load_settings(_env_file="")
    assert container("web")["ports"] == [{"name": "http", "containerPort": settings.port}]
    assert container("worker")["ports"] == [
        {"name": "metrics", "containerPort": settings.worker_metrics_port}
    ]


def test_probes_ask_what_answers_them() -> None:
    probes = {name: container("web")[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}
    assert probes == {"liveness": "/livez", "readiness": "/readyz"}
    assert container("worker")["livenessProbe"]["httpGet"]["path"] == "/metrics"
    assert {"name": "INSPECTOR_WORKER_METRICS_HOST", "value": "0.0.0.0"} in container("worker")["env"]  # noqa: S104


def test_pods_get_more_time_to_stop_than_they_take() -> None:
    grace_s = load_settings(_env_file="").shutdown_grace_s
    for program in ("web", "worker"):
        assert pod_of(program)["spec"]["terminationGracePeriodSeconds"] > grace_s


@pytest.mark.parametrize("program", PROGRAMS)
def test_containers_have_the_rights_of_nobody_in_particular(program: str) -> None:
    pod, inside = pod_of(program)["spec"]["securityContext"], container(program)["securityContext"]
    assert pod["runAsNonRoot"]
    assert ("USER", str(pod["runAsUser"])) in instructions()
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod_of(program)["spec"]["automountServiceAccountToken"]


def test_a_worker_has_room_for_ffmpeg_and_for_the_largest_video() -> None:
    settings = load_settings(_env_file="")
    limits = container("worker")["resources"]["limits"]
    volumes = {each["name"]: each["emptyDir"] for each in pod_of("worker")["spec"]["volumes"]}
    assert gib(limits["memory"]) * 2**30 > settings.tool_memory_bytes
    room = gib(volumes["scratch"]["sizeLimit"])
    assert room * 2**30 > settings.max_size_bytes + settings.scratch_reserve_bytes
    assert gib(limits["ephemeral-storage"]) > room


def gib(quantity: str) -> int:
    found = re.fullmatch(r"(\d+)Gi", quantity)
    assert found
    return int(found[1])


def test_there_is_always_a_worker_to_make_jobs_of_messages() -> None:
    assert named("ScaledObject", "inspector-worker")["spec"]["minReplicaCount"] >= 1


def test_bubblewrap_is_demanded_where_it_is_permitted() -> None:
    (deployment,) = (each for each in patched() if each["kind"] == "Deployment")
    (worker,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "INSPECTOR_SANDBOX", "value": "bwrap"} in worker["env"]
    assert worker["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    assert worker["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert len(worker["env"]) == len(container("worker")["env"]) + 1
