"""Worker processes log to one place. Their dictConfig sends records to the parent's LogServer."""

import logging
import logging.config
import os
import subprocess
import sys

from communica_like import LocalConnector
from communica_like.logging import BlockingLogServer

FORMAT = "%(levelname)s %(name)s: %(message)s, order %(order)s"


def work(url: str, name: str) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {
                "parent": {
                    "class": "communica_like.logging.ThrowHandler",
                    "connector": url,
                    "level": "INFO",
                    "block": 1.0,
                }
            },
            "root": {"level": "INFO", "handlers": ["parent"]},
        }
    )
    logger = logging.getLogger(name)
    for number in range(3):
        logger.info("step %d", number, extra={"order": 17})
    # Pending records are delivered at exit.


def main() -> None:
    logging.basicConfig(format=FORMAT, level="INFO", stream=sys.stdout)
    logging.getLogger("communica_like").setLevel("WARNING")
    connector = LocalConnector(f"log-{os.getpid()}")
    with BlockingLogServer(connector) as server:
        for name in ("first", "second"):
            subprocess.run([sys.executable, __file__, server.address, name], check=True)


if __name__ == "__main__":
    work(*sys.argv[1:]) if len(sys.argv) > 1 else main()
