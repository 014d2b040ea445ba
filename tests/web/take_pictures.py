"""Take the pictures of docs/images/ anew, of pages that `make up` shows; yesterday should be in the lake.

python tests/web/take_pictures.py http://127.0.0.1:8080 <password of admin>
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PAGES = ("coverage", "overview", "findings")
SIZE = {"width": 1280, "height": 800}


def main(url: str, password: str) -> None:
    """Log in by Airflow's form and write one file for each page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page(viewport=SIZE, color_scheme="light", locale="en-GB")
        tab.set_default_timeout(120_000)
        tab.goto(f"{url}/auth/login/")
        tab.fill("input[name=username]", "admin")
        tab.fill("input[name=password]", password)
        tab.click("button[type=submit]")
        tab.wait_for_url(lambda address: "login" not in address)
        for name in PAGES:
            tab.goto(f"{url}/plugin/entra-lake-{name}")
            tab.frame_locator("iframe").locator("h1").wait_for()
            tab.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
