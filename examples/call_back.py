"""A server asks its client a question while it handles the client's request."""

import asyncio

from communica_like import Context, MemoryConnector, RouteClient, RouteServer

connector = MemoryConnector()
server = RouteServer(connector)


@server.routes.handler("delete")
async def delete(path: str, context: Context) -> str:
    question = f"Really delete {path}?"
    # This request inherits the remaining time of the client's request.
    if await server.request("confirm", question, client_id=context.client_id):
        await server.throw("progress", f"{path} is gone", client_id=context.client_id)
        return "deleted"
    return "kept"


async def main() -> None:
    client = RouteClient(connector, client_id="alice")

    @client.routes.handler("confirm")
    def confirm(question: str) -> bool:
        print("server:", question)
        return question.endswith(".tmp?")

    @client.routes.handler("progress")
    def progress(text: str) -> None:
        print("server:", text)

    async with server, client:
        for path in ("notes.txt", "junk.tmp"):
            print("client:", path, "is", await client.request("delete", path, timeout=5))
        print("clients:", [info.client_id for info in server.clients])


if __name__ == "__main__":
    asyncio.run(main())
