"""Call a server from a script without an event loop. Its threads share one client."""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from communica_like import LocalConnector, ReqError, SimpleServer, blocking


def square(number: int) -> int:
    if number > 1000:
        raise ReqError("too large", code=413)
    return number * number


def main() -> None:
    name = f"squares-{os.getpid()}"
    server = subprocess.Popen([sys.executable, __file__, name])
    with blocking.SimpleClient(LocalConnector(name)) as client:
        print("12 * 12 =", client.request(12, timeout=10.0))
        with ThreadPoolExecutor(8) as threads:
            print("the sum of squares:", sum(threads.map(client.request, range(100))))
        try:
            client.request(1001)
        except ReqError as error:
            print("The server said:", error)
    server.terminate()
    print("exit code:", server.wait())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(SimpleServer(LocalConnector(sys.argv[1]), square).run())
    else:
        main()
