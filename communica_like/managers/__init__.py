"""multiprocessing's managers: servers, and connections to them that are safe to make.

Pickles travel on a manager's connection, and to load a pickle is to run what is in it. So a client that is
let into a server can run code there, and a server can run code in its clients. All that is here serves
one end: that no pickle is loaded before it is certain whose it is.

How a connection begins. A ``ManagerServer`` (server) accepts it on its ``ListeningAddress`` (listening); a
client calls ``dial`` (client). Both hold it as a ``SocketConnection`` (connection). On a Unix socket each
end first asks the kernel whose process the other one is (``peer``), and leaves if that is another user's,
before it reads a byte. Then both prove that they know the key, by bytes that are not pickles (handshake):

- The server speaks first, as multiprocessing has it: a challenge. Ours bears a mark.
- A client of ours answers a marked challenge with our own handshake: an HMAC over its role and both sides'
  random bytes. The server answers with its own. A proof of one role, or of one connection, is none of
  another.
- Another program's client does not see the mark. It answers, and challenges the server, as multiprocessing
  does.
- A client of ours that meets a challenge without the mark is at another program's server, such as ipcq's.
  Only clients that may use such servers go on, in multiprocessing's protocol. That has no direction: a
  question of one end may be passed to another end, which answers. So the challenges of our clients bear a
  mark as well, and no end of ours answers one that has any mark.

multiprocessing's proxies dial by themselves. Those of our managers find ``dial`` under the name SERIALIZER.

After that come requests and answers, in pickles: see ``request``. A server hands a connection over to other
uses, such as queues' frames or links, with ``keep``.

What must not happen here: ``recv`` on a connection before its handshake; a proof of anything that the other
end alone has chosen, if it bears a mark; a key that everybody knows where no kernel vouches for the user.
"""
