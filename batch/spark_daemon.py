"""The parent of Spark's Python workers, as `pyspark.daemon` is, without archives on the path of imports.

Before each task a worker reads the directories of all archives on its path anew, to see whether something could be
imported that could not before. Spark puts its own there, and one of them holds nothing but Java: 0.1 s of CPU a task.
All that is in them is installed beside this package.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Serves until Spark closes the standard input."""
    sys.path[:] = [place for place in sys.path if not place.endswith((".zip", ".jar"))]
    sys.path_importer_cache.clear()
    from pyspark.daemon import manager

    manager()


if __name__ == "__main__":
    main()
