"""Ask simple_server.py to add, without an event loop. Waits until the server is up."""

from communica_like import LocalConnector
from communica_like.blocking import SimpleClient

with SimpleClient(LocalConnector("adder")) as client:
    print("1 + 2 + 3.5 =", client.request([1, 2, 3.5]))
