"""Where leaderboards are: definitions, pools, submissions, reruns, published boards.

::

    leaderboards/
      boards/NAME.yaml                   what a board asks for
      pools/NAME.pool.zip                frozen pools, as far as they are small
      submissions/BOARD/NAME/            what people send
      reruns/BOARD/NAME.json             what the board's keepers scored again
      published/BOARD/                   board.json, table.md, table.tex, results.csv, index.html
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import DataError
from harness.paths import shipped

NAME = "leaderboards"


def leaderboards(folder: Path | None) -> Path:
    """Return `folder`, else the working folder's ``leaderboards``, else the shipped one.

    Raises:
        DataError: it is no folder of leaderboards.
    """
    root = folder or (Path(NAME) if (Path(NAME) / "boards").is_dir() else shipped(NAME))
    if not (root / "boards").is_dir():
        raise DataError(f"{root}: no folder of leaderboards; it holds no boards/")
    return root
