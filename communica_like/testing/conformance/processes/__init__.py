"""What checks are staged with: a server, its clients, and the journal of what happens.

A check opens a ``Stage`` (stage.py): a server, its clients, and a folder. The programs are
conformance.server and conformance.client, started as a ``Child`` (child.py) and configured by ``Settings``
(settings.py) in an environment variable. They report what happens as lines in a journal (journal.py), which
survives kill -9. The check makes requests, sends signals, cuts links, and waits for entries of the
journal. At the end the stage stops every process, and fails if one does not end.

Nothing here knows a promise: those are the checks', in the files beside this folder. A connector of another
distribution gives its own programs in ``Meeting.program``.
"""
