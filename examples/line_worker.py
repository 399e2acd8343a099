"""Send lines to another program, and call a function with each line that comes back."""

import sys
from queue import SimpleQueue

from communica_like.blocking import Worker

PROGRAM = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"


def main() -> None:
    lines: SimpleQueue[str] = SimpleQueue()

    def new_data(data: str) -> None:
        lines.put(f"received: {data}")

    with Worker([sys.executable, "-c", PROGRAM], new_data) as worker:
        for item in ("one", "two words", 3):
            worker.send(item)
            print(lines.get(timeout=10))
        print("the most recent line:", worker.data)
    print("running:", worker.running)


if __name__ == "__main__":
    main()
