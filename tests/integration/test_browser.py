"""The pages in a real browser: hostile names stay text, the policy holds, a token becomes a cookie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.integration.test_api_server import Server, started
from tests.services import wait_until

HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">'&amp;.mp4"
TOKEN = "a token of many characters"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with started(tmp_path) as server:
        yield server


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("INSPECTOR_TOKEN", TOKEN)
    with started(tmp_path) as server:
        yield server


def test_a_key_that_is_markup_stays_text_on_the_page_and_in_its_updates(
    server: Server, page: Page, complaints: list[str]
) -> None:
    server.has("queued", HOSTILE)
    page.goto(f"http://127.0.0.1:{server.port}/")
    link = page.get_by_role("link", name=HOSTILE)
    expect(link).to_be_visible()
    server.has("failed", HOSTILE)
    expect(page.get_by_role("cell", name="failed")).to_be_visible()
    assert page.title() == "Inspector: videos"
    assert page.locator("main img, main script").count() == 0
    link.click()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("failed")
    assert page.title() != "taken"
    assert [each for each in complaints if "ERR_CONNECTION_REFUSED" not in each] == [], "there is no bucket"


def test_the_policy_lets_no_foreign_script_run(server: Server, page: Page, complaints: list[str]) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'taken'";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", `<b style="color: red" onclick="x()">b</b>`);
        }"""
    )
    assert page.title() == "Inspector: videos"
    assert complaints
    assert all("Content Security Policy" in complaint for complaint in complaints)


def test_a_person_logs_in_sees_changes_live_and_logs_out(
    guarded: Server, page: Page, complaints: list[str]
) -> None:
    home = f"http://127.0.0.1:{guarded.port}/"
    page.goto(home + "?state=queued")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(home + "?state=queued")
    guarded.deed("queued", "live.mp4")
    expect(page.get_by_role("link", name="live.mp4")).to_be_visible()
    streamed = page.evaluate(
        """() => new Promise((resolve, reject) => {
            const stream = new EventSource("/status/live.mp4");
            stream.addEventListener("status", (event) => {
                stream.close();
                resolve(JSON.parse(event.data).status);
            });
            stream.onerror = reject;
        })"""
    )
    assert streamed == "queued", "the cookie opens streams, to which no header can be added"
    assert page.evaluate("document.cookie") == "", "scripts cannot read it"
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.goto(home)
    expect(page.get_by_label("Token")).to_be_visible()
    assert [complaint for complaint in complaints if "401" not in complaint] == []


COUNT = """() => {
    window.asked = window.answered = 0;
    document.addEventListener("refresh", () => { window.asked += 1; });
    document.addEventListener("htmx:afterRequest", () => { window.answered += 1; });
}"""
QUIET = "window.asked >= 1 && window.asked === window.answered"


def test_a_page_is_told_of_changes_and_asks_for_nothing_while_there_are_none(
    server: Server, page: Page, complaints: list[str]
) -> None:
    page.clock.install()
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.evaluate(COUNT)
    page.clock.fast_forward(5_000)
    wait_until(lambda: page.evaluate(QUIET))  # what changed while the stream was opened
    page.clock.fast_forward(20_000)  # its afterglow
    wait_until(lambda: page.evaluate(QUIET))
    before = page.evaluate("window.asked")
    page.clock.fast_forward(30_000)
    assert page.evaluate("window.asked") == before
    server.deed("queued", "told.mp4")
    page.clock.resume()
    expect(page.get_by_role("link", name="told.mp4")).to_be_visible()
    assert page.evaluate("window.asked") <= before + 2
    assert complaints == []


def test_a_page_that_gets_no_stream_asks_by_itself(server: Server, page: Page) -> None:
    page.route("**/events*", lambda route: route.fulfill(status=503))
    page.clock.install()
    page.goto(f"http://127.0.0.1:{server.port}/")
    server.deed("queued", "polled.mp4")

    def shown_in_time() -> bool:  # the page may not know yet that it gets no stream
        page.clock.fast_forward(20_000)
        return page.get_by_role("link", name="polled.mp4").is_visible()

    wait_until(shown_in_time)
