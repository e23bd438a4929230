"""Where a cgroup for programs may be made, told from what the kernel says of us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inspector.media.cgroup import find_base

V1 = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n39 31 0:36 / {point} rw - cgroup cgroup rw,pids\n"
V2 = "25 23 0:22 {root} {point} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_version_1_with_the_pids_controller_is_used_where_we_are() -> None:
    memberships = "9:name=systemd:/\n8:pids:/user/1\n4:memory:/deep/down\n0::/\n"
    mounts = V1.format(point="/sys/fs/cgroup/pids") + V2.format(root="/", point="/sys/fs/cgroup/unified")
    assert find_base(memberships, mounts) == Path("/sys/fs/cgroup/pids/user/1")


def test_the_root_of_version_2_is_used_itself(tmp_path: Path) -> None:
    assert find_base("0::/\n", V2.format(root="/", point=tmp_path)) == tmp_path


def test_version_2_is_used_beside_us_where_it_was_handed_over(tmp_path: Path) -> None:
    own = tmp_path / "service" / "worker"
    own.mkdir(parents=True)
    (own / "cgroup.type").write_text("domain\n")
    mounts = V2.format(root="/", point=tmp_path)
    assert find_base("0::/service/worker\n", mounts) is None, "it is somebody else's"
    try:
        os.setxattr(own.parent, "user.delegate", b"1")
    except OSError:
        pytest.skip("the disk of this test keeps no extended attributes")
    assert find_base("0::/service/worker\n", mounts) == own.parent


def test_within_a_container_paths_begin_at_what_is_mounted(tmp_path: Path) -> None:
    mounts = V1.format(point=tmp_path).replace("0:36 /", "0:36 /docker/abc")
    assert find_base("8:pids:/docker/abc/job\n", mounts) == tmp_path / "job"


@pytest.mark.parametrize("memberships", ["", "0::/elsewhere\n", "8:pids:/elsewhere\n"])
def test_what_cannot_be_seen_cannot_be_used(memberships: str) -> None:
    assert find_base(memberships, V2.format(root="/mine", point="/sys/fs/cgroup")) is None
