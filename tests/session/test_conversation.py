"""Whatever happens to the link, whoever is slow: what two sessions promise each other comes true."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from communica_like.session import State
from tests.session.dialogue import SMALL_LIMITS, SMALLEST_BODY, Dialogue

CHUNK = SMALL_LIMITS.chunk
LARGEST = SMALL_LIMITS.max_message

side_indices = st.integers(0, 1)
indices = st.integers(0, 1000)
sizes = st.one_of(
    st.integers(SMALLEST_BODY, CHUNK),
    st.sampled_from([CHUNK, CHUNK + 1, 2 * CHUNK, LARGEST - 1, LARGEST]),
    st.integers(CHUNK + 1, 8 * CHUNK),
)


class Conversation(RuleBasedStateMachine):
    """Two users, a link, and a clock, in any order."""

    @initialize(early=st.integers(0, 3))
    def begin(self, early: int) -> None:
        self.dialogue = Dialogue()
        for number in range(early):
            self.dialogue.request(self.dialogue.sides[0], 100 * number)
        self.dialogue.establish()

    @rule(
        side=side_indices,
        size=sizes,
        count=st.integers(1, 30),
        idempotent=st.booleans(),
        timeout=st.none() | st.floats(0.0, 20.0),
    )
    def request(self, side: int, size: int, count: int, idempotent: bool, timeout: float | None) -> None:
        for _ in range(count if size <= CHUNK else 1):
            self.dialogue.request(
                self.dialogue.sides[side], size, idempotent=idempotent, timeout=timeout
            )

    @rule(side=side_indices, size=sizes, count=st.integers(1, 30))
    def throw(self, side: int, size: int, count: int) -> None:
        for _ in range(count if size <= CHUNK else 1):
            self.dialogue.throw(self.dialogue.sides[side], size)

    @rule(side=side_indices, count=st.integers(60, 90), larges=st.sets(st.integers(0, 89), max_size=4))
    def throw_all_that_credit_allows(self, side: int, count: int, larges: set[int]) -> None:
        for number in range(count):
            self.dialogue.throw(self.dialogue.sides[side], CHUNK + 1 if number in larges else 100)

    @rule(side=side_indices, index=indices, size=sizes, fails=st.booleans(), count=st.integers(1, 20))
    def answer(self, side: int, index: int, size: int, fails: bool, count: int) -> None:
        for _ in range(count):
            self.dialogue.answer(self.dialogue.sides[side], index, size, fails=fails)

    @rule(side=side_indices, index=indices)
    def cancel(self, side: int, index: int) -> None:
        self.dialogue.cancel(self.dialogue.sides[side], index)

    @rule(side=side_indices, index=indices, count=st.integers(1, 40))
    def handle(self, side: int, index: int, count: int) -> None:
        for _ in range(count):
            self.dialogue.handle(self.dialogue.sides[side], index)

    @rule(side=side_indices, writes=st.none() | st.integers(1, 3))
    def flush(self, side: int, writes: int | None) -> None:
        self.dialogue.flush(self.dialogue.sides[side], writes)

    @rule(side=side_indices, size=st.none() | st.integers(1, 3000))
    def deliver(self, side: int, size: int | None) -> None:
        self.dialogue.deliver(self.dialogue.sides[side], size)

    @rule()
    def exchange(self) -> None:
        for side in self.dialogue.sides:
            self.dialogue.flush(side)
            self.dialogue.deliver(side)

    @rule(unnoticed_by=st.none() | side_indices)
    def cut(self, unnoticed_by: int | None) -> None:
        self.dialogue.cut(None if unnoticed_by is None else self.dialogue.sides[unnoticed_by])

    @rule(fails_at=st.sampled_from([None, None, None, 0, 1]))
    def resume(self, fails_at: int | None) -> None:
        self.dialogue.resume(None if fails_at is None else self.dialogue.sides[fails_at])

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.05, 0.06, 1.0, 2.5, 2.6, 5.0, 9.0]))
    def wait(self, seconds: float) -> None:
        self.dialogue.advance(seconds)

    @rule(keep=st.tuples(st.booleans(), st.booleans()), again=st.booleans())
    def end(self, keep: tuple[bool, bool], again: bool) -> None:
        self.dialogue.end(keep)
        if again:
            self.dialogue.establish()

    @rule()
    def establish(self) -> None:
        self.dialogue.establish()

    @rule()
    def finish(self) -> None:
        self.dialogue.finish()

    @invariant()
    def states_agree(self) -> None:
        news = [side.session.state is State.NEW for side in self.dialogue.sides]
        assert news[0] == news[1]

    def teardown(self) -> None:
        if hasattr(self, "dialogue"):
            self.dialogue.finish()


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def long_run(seed: int, messages: int, cuts: int) -> None:
    """Random traffic with random cuts, until so many of both have been."""
    random = Random(seed)
    dialogue = Dialogue(
        replace(SMALL_LIMITS, bulk_in_flight=random.choice([1, 2048, 8192])),
        replace(
            SMALL_LIMITS,
            chunk=random.choice([1024, 3000]),
            window=100_000,
            outbox=random.choice([10_000, 1 << 20]),
        ),
    )
    dialogue.establish()

    def size() -> int:
        roll = random.random()
        if roll < 0.9:
            return random.randint(SMALLEST_BODY, 200)
        if roll < 0.99:
            return random.randint(CHUNK - 100, 4 * CHUNK)
        return random.randint(CHUNK, LARGEST)

    diligence = {id(side): 1.0 for side in dialogue.sides}
    sent = 0
    cut = 0
    while sent < messages or cut < cuts:
        side = random.choice(dialogue.sides)
        if random.random() < 0.05:
            diligence[id(side)] = random.choice([0.0, 0.2, 0.9, 1.0])
        count = random.randint(1, 2 * max(1, messages // max(1, cuts)))
        for _ in range(count):
            if random.random() < 0.5:
                sent += dialogue.throw(side, size())
            else:
                sent += dialogue.request(side, size(), timeout=random.choice([None, None, None, 0.5, 60.0]))
        for _ in range(random.randint(1, 6)):
            for side in dialogue.sides:
                dialogue.flush(side, random.choice([None, 1]))
                dialogue.deliver(side, random.choice([None, random.randint(1, 4000)]))
                if random.random() < diligence[id(side)]:
                    for _ in range(len(side.to_answer)):
                        dialogue.answer(side, random.randrange(1000), size(), fails=random.random() < 0.1)
                    for _ in range(len(side.to_handle)):
                        dialogue.handle(side, random.randrange(1000))
                if random.random() < 0.05:
                    dialogue.cancel(side, random.randrange(1000))
        dialogue.advance(random.choice([0.0, 0.01, 0.06]))
        if random.random() < 0.9 or sent >= messages:
            cut += 1
            dialogue.resume(random.choice([None, None, None, *dialogue.sides]))
            dialogue.resume()
    dialogue.finish()
    for side in dialogue.sides:
        assert side.settled == side.numbers
        assert dialogue.other(side).last_throw == side.next_throw - 1


def test_20_000_messages_and_1_000_cuts() -> None:
    long_run(seed=1, messages=20_000, cuts=1_000)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 7))
def test_many_messages_and_many_cuts(seed: int) -> None:
    long_run(seed, messages=50_000, cuts=5_000)
