"""A host keeps its promises, whatever its clients say, and whenever they are killed.

Clients are played at random, also while the host looks at one connection after the other. A model knows what
was said and when. It holds the host to this:

- An item is leased to one client at a time, and never after its ACK.
- What was in the queue before a question, and stays there, is the answer: REFUSED, or a younger item of the
  same writer, would be wrong. What a killed client held, and what is given back, counts as there.
- A put is refused only if the queue was full when it was asked, or has been filled since.
- The places that are taken never exceed the limit.
- In the end, each item that was put and not acknowledged is there, once.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from communica_like.queues.manager.protocol import Frame, Kind

from .frame_end import End
from .stage import Stage, stage

_ACTIONS = ["get", "get now", "now", "put", "put", "commit", "ack", "back", "size", "kill", "unack"]


class ModelItem:
    """What the model knows of an item.

    Attributes:
        since: the time since which it has been in the queue, for all who ask; None: it is not.
        place: what its writer has put earlier has a lower one. Below 0: it was taken back after its ACK.
    """

    def __init__(self, writer: int, number: int) -> None:
        self.writer = writer
        self.number = number
        self.since: int | None = None
        self.place = 0
        self.acked = False

    @property
    def data(self) -> bytes:
        return b"%d %d" % (self.writer, self.number)


class Player:
    """One client, and what it has asked for: the time at which it did, by the numbers."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.alive = True
        self.last = 0
        self.gets: dict[int, int] = {}
        self.puts: dict[int, tuple[int, ModelItem, int]] = {}  # also the places taken at that time
        self.rooms: dict[int, ModelItem] = {}
        self.leases: dict[int, ModelItem] = {}
        self.sizes: dict[int, int] = {}
        self.acked: tuple[int, ModelItem] | None = None

    def next(self) -> int:
        self.last += 1
        return self.last


class Model:
    """Plays clients of a stage, and checks what they hear."""

    def __init__(self, scene: Stage, random: Random, limit: int) -> None:
        self.scene = scene
        self.random = random
        self.limit = limit
        self.now = 0
        self.items: dict[bytes, ModelItem] = {}
        self.grants: list[int] = []  # when ROOM was heard of
        self.players = [Player(scene.client()) for _ in range(3)]
        scene.meanwhile = self.act_perhaps

    def used(self) -> int:
        rooms = sum(len(player.rooms) for player in self.players if player.alive)
        return rooms + sum(not item.acked for item in self.items.values())

    def holder(self, item: ModelItem) -> Player | None:
        return next((each for each in self.players if item in each.leases.values()), None)

    # -- what clients say

    def act_perhaps(self) -> None:
        if self.random.random() < 0.3:
            self.act()

    def act(self) -> None:
        self.now += 1
        alive = [player for player in self.players if player.alive]
        player = self.random.choice(alive)
        end, random = player.end, self.random
        match random.choice(_ACTIONS):
            case "get" | "get now" as what:
                number = player.next()
                player.gets[number] = self.now
                end.say(Kind.GET, number)
                if what == "get now":
                    end.say(Kind.NOW, number)
            case "now" if player.gets or player.puts:
                end.say(Kind.NOW, random.choice([*player.gets, *player.puts]))
            case "put":
                number = player.next()
                item = ModelItem(self.players.index(player), number)
                if not self.limit and random.random() < 0.5:
                    self.put(item)
                    end.say(Kind.POST, 0, item.data)
                else:
                    player.puts[number] = self.now, item, self.used()
                    end.say(Kind.PUT, number, item.data)
                    if random.random() < 0.5:
                        end.say(Kind.NOW, number)
            case "commit" if player.rooms:
                number = random.choice(list(player.rooms))
                self.put(player.rooms.pop(number))
                end.say(Kind.COMMIT, number)
            case "ack" if player.leases:
                number = random.choice(list(player.leases))
                item = player.leases.pop(number)
                item.acked = True
                player.acked = number, item
                end.say(Kind.ACK, number)
            case "back":
                asked = [*player.gets, *player.puts, *player.rooms, *player.leases]
                if asked:
                    self.back(player, random.choice(asked))
            case "size":
                number = player.next()
                player.sizes[number] = self.now
                end.say(Kind.SIZE, number)
            case "kill" if len(alive) > 2 and random.random() < 0.2:
                self.kill(player)
                self.players.append(Player(self.scene.client()))
            case "unack" if player.acked is not None and not self.limit:
                number, item = player.acked
                player.acked = None
                item.acked, item.since, item.place = False, self.now, -self.now  # before all others
                end.say(Kind.UNACK, number, item.data)

    def put(self, item: ModelItem) -> None:
        item.since = item.place = self.now
        self.items[item.data] = item

    def back(self, player: Player, number: int) -> None:
        if number in player.leases:
            player.leases.pop(number).since = self.now
        if number in player.puts:
            self.grants.append(self.now)  # which may have been on its way
        for table in (player.gets, player.puts, player.rooms):
            table.pop(number, None)
        player.end.say(Kind.BACK, number)

    def kill(self, player: Player) -> None:
        player.alive = False
        player.end.socket.close()
        for item in player.leases.values():
            item.since = self.now
        player.leases.clear()
        self.grants += [self.now for _ in player.puts]
        if player.gets:  # what it waited for may have been on its way
            for item in self.items.values():
                item.since = item.since and self.now

    # -- what clients hear

    def round(self) -> None:
        self.scene.round()
        self.now += 1
        refused: list[int] = []
        younger: list[tuple[int, ModelItem]] = []
        full: list[tuple[int, ModelItem, int]] = []
        counted: list[tuple[int, int]] = []
        for player in self.players:
            for frame in player.end.heard() if player.alive else []:
                self.hear(player, frame, refused, younger, full, counted)
        counted += [(asked, 0) for asked in refused]
        for asked, size in counted:
            there = [item.data for item in self.items.values() if item.since and item.since < asked]
            assert size >= len(there), f"{size} items, and there were {there}"
        for asked, _, used in full:
            assert used + sum(time > asked for time in self.grants) >= self.limit, "it was not full"
        for asked, item in younger:
            for each in self.items.values():
                before = each.place < item.place and item.place > 0  # else the host knows which
                if before and each.writer == item.writer and each.since:
                    assert each.since >= asked, f"{item.data!r} came before {each.data!r}"
        hosted = self.scene.hosted
        assert not self.limit or hosted._used() <= self.limit
        assert len({age for age, _ in hosted._items}) == len(hosted._items)

    def hear(
        self,
        player: Player,
        frame: Frame,
        refused: list[int],
        younger: list[tuple[int, ModelItem]],
        full: list[tuple[int, ModelItem, int]],
        counted: list[tuple[int, int]],
    ) -> None:
        number = frame.number
        match frame.kind:
            case Kind.ITEM:
                assert frame.item is not None
                item = self.items[frame.item.data]
                if number in player.gets:
                    assert not item.acked, "it was acknowledged"
                    assert self.holder(item) is None, "another client has it"
                    item.since = None
                    player.leases[number] = item
                    younger.append((player.gets.pop(number), item))
                elif item.since:  # that get was given up: the item has been away, and is back
                    item.since = self.now
            case Kind.ROOM if number in player.puts:
                self.grants.append(self.now)
                player.rooms[number] = player.puts.pop(number)[1]
            case Kind.REFUSED if number in player.gets:
                refused.append(player.gets.pop(number))
            case Kind.REFUSED if number in player.puts:
                assert self.limit, "a queue without a limit was full"
                full.append(player.puts.pop(number))
            case Kind.COUNT:
                counted.append((player.sizes.pop(number), frame.size))
                assert frame.used >= frame.size

    def end(self) -> None:
        """All but one are killed; the last one gets all that is left."""
        self.scene.meanwhile = lambda: None
        last = Player(self.scene.client())
        for player in self.players:
            if player.alive:
                self.kill(player)
        self.players.append(last)
        left = {item.data for item in self.items.values() if not item.acked}
        got: list[bytes] = []
        while True:
            number = last.next()
            last.gets[number] = self.now = self.now + 1
            last.end.say(Kind.GET, number)
            last.end.say(Kind.NOW, number)
            for _ in range(3):
                self.round()
            if number not in last.leases:
                break
            got.append(last.leases[number].data)
        assert len(got) == len(left)
        assert set(got) == left


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 150), limit=st.sampled_from([0, 1, 3]))
def test_any_order_of_words_and_kills(seed: int, steps: int, limit: int) -> None:
    random = Random(seed)
    with stage(limit) as scene:
        model = Model(scene, random, limit)
        for _ in range(steps):
            if random.random() < 0.35:
                model.round()
            else:
                model.act()
        model.end()
