"""Register handlers by name. With another connector, server and client can be two processes."""

import asyncio

from communica_like import Context, MemoryConnector, ReqError, RouteClient, RouteServer, RouteTable

users = RouteTable("users")
names: dict[int, str] = {}


@users.handler("user.add")
async def add_user(data: dict[str, str], context: Context) -> int:
    print(f"{context.client_id} adds {data['name']}")
    names[len(names) + 1] = data["name"]
    return len(names)


@users.handler("user.get")
def get_user(number: int) -> str:
    if number not in names:
        raise ReqError(f"there is no user {number}", code=404)
    return names[number]


async def main() -> None:
    connector = MemoryConnector()
    async with RouteServer(connector, users), RouteClient(connector, client_id="alice's shell") as client:
        number = await client.request("user.add", {"name": "Bob"})
        print("user", number, "is", await client.request("user.get", number))
        for route, data in [("user.get", 7), ("user.remove", 1)]:
            try:
                await client.request(route, data)
            except ReqError as error:
                print(f"{route} failed: {error}")


if __name__ == "__main__":
    asyncio.run(main())
