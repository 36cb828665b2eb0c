"""A board of 500 entries in Chromium: the size of its page, how soon it opens, how fast it sorts.

A sort is timed from the click to the first frame that shows it, once per column; its ceiling is
100 ms, what a person takes for at once (Miller 1968; Nielsen 1993).
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from harness.boards.site import write
from tests.boards.synthetic import board

ENTRIES = 500
SORTS = """async () => {
  const took = [];
  for (const button of document.querySelectorAll("#table thead button")) {
    const start = performance.now();
    button.click();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    took.push(performance.now() - start);
  }
  return took;
}"""


def main() -> None:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        start = time.perf_counter()
        path = write(board(ENTRIES, samples=20), Path(folder))
        print(f"written in {time.perf_counter() - start:.1f} s, {path.stat().st_size / 1e6:.2f} MB")
        browser = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        start = time.perf_counter()
        page.goto(path.as_uri())
        print(f"opened in {time.perf_counter() - start:.1f} s")
        page.evaluate(SORTS)
        took = page.evaluate(SORTS)
        print(f"sorted in {statistics.median(took):.0f} ms, at most {max(took):.0f} ms")
        browser.close()


if __name__ == "__main__":
    main()
