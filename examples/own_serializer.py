"""Write your own serializer, a class with two methods. This one compresses JSON."""

import asyncio
import json
import zlib
from typing import Any

from communica_like import MemoryConnector, Serializer, SimpleClient, SimpleServer


class ZippedJson(Serializer):
    def dump(self, obj: Any) -> bytes:
        return zlib.compress(json.dumps(obj).encode())

    def load(self, data: bytes) -> Any:
        return json.loads(zlib.decompress(data))


def count_words(text: str) -> dict[str, int]:
    return {word: text.split().count(word) for word in set(text.split())}


async def main() -> None:
    serializer = ZippedJson()
    connector = MemoryConnector()
    text = "to be or not to be " * 1000
    async with (
        SimpleServer(connector, count_words, serializer),
        SimpleClient(connector, serializer=serializer) as client,
    ):
        print(sorted((await client.request(text)).items()))
    print(f"{len(text)} characters travelled in {len(serializer.dump(text))} bytes")


if __name__ == "__main__":
    asyncio.run(main())
