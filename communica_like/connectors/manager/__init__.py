"""Links through the server of a multiprocessing manager, in the process that listens.

``ManagerConnector`` (connector) knows addresses and URLs, and imports the rest when it is first used:
multiprocessing takes longer to import than all of this library. ``dial_link`` and ``ManagerListener``
(links) are its two ends. The listener runs a ``ManagerServer`` of ``communica_like.managers`` with one
function. A client that has proved the key calls it, and from then on its connection is a ``StreamLink`` that
carries bytes. Nothing on a link is a pickle.

There is always a key. If the user gave none, the server writes a random one into a ``KeyFile`` (key_file)
that only this user can read, and removes it when it closes. Clients wait for it for a moment, since the
address is there before the key. A key that a dead server left is used again, since clients may have read it.

Here both ends are of this library. So a client does not accept another program's server, and one attempt to
connect is over before the next one begins.

What must not happen here: a queue; a link that is given away before the handshake.
"""
