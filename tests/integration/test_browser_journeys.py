"""Whole journeys through the pages, by mouse and keyboard, in a real browser over the real stack."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, expect

from inspector.model import Decision
from inspector.store import Database
from inspector.wiring.reviews import make_reviews
from tests.browser import listen
from tests.film import make
from tests.services import Endpoint, wait_until
from tests.site import Site, open_site

HOSTILE = "a/<img src=x onerror=\"document.title='taken'\">'&amp;`.mp4"
LIGHT_BYTES = 200_000
PAGES = {
    "library": "/",
    "video": "/video/film.mp4",
    "compare": "/compare?a=clip.mp4&b=film.mp4",
    "review": "/review",
    "system": "/system",
}


@pytest.fixture(scope="module")
def site(
    ministack: Endpoint, shared_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with open_site(ministack, shared_database, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def stocked(site: Site, films: dict[str, Path]) -> Site:
    """A film, an edited copy of it, mirrored, and a clip from its middle."""
    for name in ("film", "edited", "clip"):
        site.drop(films[name])
    site.inspected("film.mp4", "edited.mp4", "clip.mp4")
    return site


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=15_000)


def seconds(clock: str) -> list[float]:
    """The places in `0:03.4 – 0:11.4`."""
    return [60 * int(minutes) + float(rest) for minutes, rest in re.findall(r"(\d+):(\d+\.\d)", clock)]


def eventually(page: Page, truth: str) -> None:
    """Wait until this is true. Playwright's own way takes `eval`, which the policy forbids."""
    wait_until(lambda: page.evaluate(truth), timeout_s=20)


def test_a_video_that_is_dropped_into_the_bucket_appears_and_is_inspected_before_ones_eyes(
    stocked: Site, films: dict[str, Path], page: Page, complaints: list[str]
) -> None:
    page.goto(f"{stocked.url}/")
    page.evaluate("window.sameAsBefore = true")
    stocked.drop(films["other"], "new/other.mp4")
    row = page.get_by_role("row", name="other.mp4")
    expect(row).to_be_visible()
    expect(row.get_by_text("done", exact=True)).to_be_visible()
    picture = row.locator("img")
    expect(picture).to_be_visible()
    wait_until(lambda: picture.evaluate("image => image.naturalWidth > 0"))
    assert page.evaluate("window.sameAsBefore"), "the page was not loaded again"
    page.get_by_role("searchbox").fill("OTHER")
    expect(page.get_by_role("row", name="film.mp4")).to_have_count(0)
    expect(row).to_be_visible()
    assert page.url.endswith("?q=OTHER")
    assert complaints == []


def test_a_keyboard_leads_from_the_library_to_a_comparison(stocked: Site, page: Page) -> None:
    page.goto(f"{stocked.url}/?q=clip")
    page.keyboard.press("j")
    expect(page.locator("tr:focus-within")).to_have_count(1)
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile(r"/compare\?a=clip.mp4&b=(film|edited).mp4"))
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    page.wait_for_load_state()  # keys mean something once the scripts are there
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_a_video_plays_from_the_bucket_and_its_frames_lead_to_their_places(
    stocked: Site, page: Page, complaints: list[str]
) -> None:
    page.goto(f"{stocked.url}/video/film.mp4")
    eventually(page, "document.querySelector('video').readyState >= 1")
    frames = page.get_by_role("list", name="Frames at the cuts").get_by_role("button")
    frames.nth(2).click()
    eventually(page, "document.querySelector('video').currentTime > 1")
    page.keyboard.press("]")
    at = page.evaluate("document.querySelector('video').currentTime")
    assert at == pytest.approx(5.32, abs=0.05)
    page.get_by_role("heading", level=1).click()
    page.keyboard.press(" ")
    eventually(page, "document.querySelector('video').currentTime > 5.6")
    expect(page.get_by_role("row", name="edited.mp4")).to_contain_text("duplicate")
    assert complaints == []


def test_what_a_browser_cannot_play_shows_its_frames(
    stocked: Site, films: dict[str, Path], tmp_path: Path, page: Page
) -> None:
    old = make(tmp_path / "old.avi", "-i", str(films["film"]), "-c:v", "mpeg4", "-q:v", "5", "-t", "6")
    stocked.drop(old)
    stocked.inspected("old.avi")
    page.goto(f"{stocked.url}/video/old.avi")
    expect(page.get_by_text("Your browser cannot play this (mpeg4, in avi)")).to_be_visible()
    expect(page.get_by_role("list", name="Frames at the cuts").locator("img").first).to_be_visible()


def test_a_comparison_shows_the_seconds_that_lie_on_each_other_and_plays_them_together(
    stocked: Site, page: Page, complaints: list[str]
) -> None:
    page.goto(f"{stocked.url}/compare?a=clip.mp4&b=film.mp4")
    here, there = page.locator(".segments tbody tr").first.locator("td").all()[:2]
    assert seconds(here.inner_text()) == pytest.approx([0.0, 8.0], abs=0.3)
    assert seconds(there.inner_text()) == pytest.approx([3.4, 11.4], abs=0.3)
    assert page.locator(".ribbons polygon").count() == 1
    assert page.locator(".joined").count() >= 2
    eventually(page, "[...document.querySelectorAll('video')].every(v => v.readyState >= 2)")
    page.get_by_role("button", name="Play", exact=True).click()
    eventually(page, "document.querySelector('video').currentTime > 1")
    page.get_by_role("button", name="Pause").click()
    one, two = (f"document.querySelector('.{which} video').currentTime" for which in ("one", "two"))
    eventually(page, f"Math.abs({two} - {one} - 3.4) < 0.15")
    page.keyboard.press("2")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.two video')).mixBlendMode") == "difference"
    )
    page.keyboard.press("3")
    expect(page.locator(".stage[data-blink=two]")).to_be_visible()
    assert complaints == []


def test_a_mirrored_copy_is_mirrored_back(stocked: Site, page: Page) -> None:
    page.goto(f"{stocked.url}/compare?a=edited.mp4&b=film.mp4")
    expect(page.locator(".finding")).to_contain_text("mirrored")
    expect(page.get_by_role("button", name="Mirror")).to_have_attribute("aria-pressed", "true")


def test_groups_are_decided_by_keyboard_undone_and_decided_at_once(
    stocked: Site, page: Page, complaints: list[str]
) -> None:
    reviews = make_reviews(stocked.places.settings, stocked.db)
    total = reviews.progress().groups
    assert total >= 1
    page.goto(f"{stocked.url}/review")
    cards = page.locator("[data-card]")
    expect(cards).to_have_count(total)
    kept = cards.first.locator("input:checked")
    suggested = kept.last.get_attribute("value")
    page.keyboard.press("ArrowRight")
    chosen = page.locator("[data-card]").first.locator("input[type=radio]:checked").get_attribute("value")
    assert chosen != suggested
    page.keyboard.press("d")
    expect(page.get_by_role("status")).to_contain_text("Remembered")
    expect(cards).to_have_count(total - 1)
    (made,) = reviews.decisions(limit=1)
    assert made.kind is Decision.DUPLICATE
    assert {entry.keep[1] for entry in made.entries if entry.keep} == {chosen}
    page.keyboard.press("u")
    expect(cards).to_have_count(total)
    expect(page.get_by_role("status")).to_contain_text("One decision taken back")
    page.keyboard.press("a")
    page.get_by_role("group", name="Of all that is selected").get_by_role(
        "button", name="Not a match"
    ).click()
    expect(cards).to_have_count(0)
    expect(page.get_by_text("Nothing is waiting for you here.")).to_be_visible()
    page.keyboard.press("u")
    expect(cards).to_have_count(total)
    page.get_by_role("link", name="Decided").click()
    expect(page.get_by_role("row", name="not a match")).to_contain_text("taken back")
    assert complaints == []


def test_a_hostile_name_is_text_on_every_page(
    stocked: Site, tmp_path: Path, page: Page, complaints: list[str]
) -> None:
    (tmp_path / "bad").write_bytes(b"This is no video.")
    stocked.drop(tmp_path / "bad", HOSTILE)
    stocked.inspected(HOSTILE)
    page.goto(f"{stocked.url}/")
    page.get_by_role("row", name=HOSTILE).get_by_role("link").click()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(page.get_by_text("The file is no video.")).to_be_visible()
    page.goto(f"{stocked.url}/system")
    expect(page.get_by_role("row", name=HOSTILE)).to_contain_text("check that the right file was uploaded")
    assert page.title() == "System – Inspector"
    assert [each for each in complaints if "403" not in each] == []


class Loaded:
    """Adds up what a page loads; pictures and videos do not count."""

    def __init__(self, page: Page) -> None:
        self.size_bytes = 0
        page.on("response", self._hear)

    def _hear(self, answer: Response) -> None:
        if answer.request.resource_type in ("document", "script", "stylesheet"):
            self.size_bytes += int(answer.headers.get("content-length", 0))


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_light_and_have_no_serious_fault_of_accessibility(
    stocked: Site, browser: Browser, name: str
) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})  # type: ignore[arg-type]
        page = context.new_page()
        said: list[str] = []
        listen(page, said)
        loaded = Loaded(page)
        page.goto(stocked.url + PAGES[name])
        page.wait_for_load_state("load")
        assert 10_000 < loaded.size_bytes < LIGHT_BYTES
        found = Axe().run(page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert not serious, json.dumps(
            [(s["id"], [n["html"] for n in s["nodes"]]) for s in serious], indent=1
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
        context.close()


DROP_FILES = """async files => {
  const carried = new DataTransfer();
  for (const [name, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
    carried.items.add(new File([bytes], name, { type: "video/mp4" }));
  }
  for (const type of ["dragenter", "dragover", "drop"]) {
    const how = { dataTransfer: carried, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent(type, how));
  }
}"""


def drag_and_drop(page: Page, **files: Path) -> None:
    """Let files fall onto the page, by these names without their suffix."""
    named = [(f"{name}.mp4", base64.b64encode(path.read_bytes()).decode()) for name, path in files.items()]
    page.evaluate(DROP_FILES, named)


def test_files_that_are_dropped_onto_the_page_are_uploaded_inspected_and_compared(
    site: Site, films: dict[str, Path], page: Page, complaints: list[str]
) -> None:
    page.goto(f"{site.url}/")
    drag_and_drop(page, my_film=films["film"], my_clip=films["clip"], my_copy=films["edited"])
    uploads = page.get_by_role("region", name="Uploads")
    expect(uploads.get_by_role("status")).to_have_text("3 of 3 uploaded")
    clip = page.get_by_role("row", name=re.compile("^my_clip.mp4"))
    expect(clip.get_by_text("done", exact=True)).to_be_visible()
    site.inspected("my_film.mp4", "my_clip.mp4", "my_copy.mp4")
    page.goto(f"{site.url}/compare?a=my_clip.mp4&b=my_film.mp4")
    there = page.locator(".segments tbody tr").first.locator("td").nth(1)
    assert seconds(there.inner_text()) == pytest.approx([3.4, 11.4], abs=0.3)
    page.goto(f"{site.url}/")
    drag_and_drop(page, my_clip=films["clip"])
    expect(uploads.get_by_text("A video of this name is here already.")).to_be_visible()
    uploads.get_by_role("button", name="Replace it").click()
    expect(uploads.get_by_role("status")).to_have_text("1 of 1 uploaded")
    uploads.get_by_role("link", name="Open").first.click()
    expect(page.get_by_role("heading", name="my_clip.mp4")).to_be_visible()
    assert [each for each in complaints if "409" not in each] == []
