"""Takes the pictures of docs/pages.md: `python -m benchmarks.screenshots URL A B`.

URL: a running inspector.  A, B: keys of two videos that match. Needs chromium and ffmpeg; ffmpeg gives each
picture a palette of its own, which halves it and more.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, sync_playwright

from inspector.api.keys import compare_address, video_address

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
MOST_BYTES: Final = 200_000
WIDE: Final = (1280, 900)
NARROW: Final = (390, 844)
_PALETTE: Final = "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=dither=bayer:bayer_scale=4"


def main() -> None:
    url, one, other = sys.argv[1:4]
    pages = {
        "library": "/",
        "video": video_address(other),
        "compare": compare_address(one, other),
        "review": "/review",
        "system": "/system",
    }
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, address in pages.items():
            take(browser, url + address, f"{name}-light", "light", WIDE)
            take(browser, url + address, f"{name}-dark", "dark", WIDE)
            take(browser, url + address, f"{name}-phone", "light", NARROW)
        browser.close()


def take(
    browser: Browser, address: str, name: str, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """One picture of a page, once everything on it has been loaded."""
    width, height = size
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(address)
    page.wait_for_timeout(3000)  # players show their first frame some time after everything is loaded
    plain, final = IMAGES / f"{name}.raw.png", IMAGES / f"{name}.png"
    page.screenshot(path=plain)
    context.close()
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(plain), "-vf", _PALETTE, "-frames:v", "1", str(final)]
    subprocess.run(command, check=True)
    plain.unlink()
    size_bytes = final.stat().st_size
    print(f"{final.name:24} {size_bytes:8,} bytes{'' if size_bytes < MOST_BYTES else ', too large'}")


if __name__ == "__main__":
    main()
