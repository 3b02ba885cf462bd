"""How long a fleet takes to get one content that a single host has: simulated, no host is asked.

All links are equal and full duplex, and the switch between them is no limit. A link carries one piece at a
time each way. The same seed gives the same figures.

    plain     every host fetches from the store
    whole     the store redirects to a host that has all of it, and keeps whoever comes too early waiting
    tree      each host fetches pieces, in their order, from the host above it, which may still be fetching;
              two are below each
    chain     the same with one below each: what the product does (engine/pieces.py)
    swarm     any of 50 neighbours serves any piece that the other lacks, as with BitTorrent
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from engine.pieces import NEAREST

SIZES = (8, 20, 100, 1000)
WAYS = ("plain", "whole", "tree", "chain", "swarm")
FAULTS = ("dead", "lying", "slow")
FAULTY = 100  # hosts of the fleet in which some have a fault

LINK = 125.0  # MB a second: 1 Gbit/s
CONTENT = 5000.0  # MB: what a host of profile `light` fetches
# MB; of a swarm, as its simulation takes long.
PIECE, SWARM_PIECE = 1.0, 16.0
# As engine/scripts/fetch_pieces.py has them.
SILENT = 5  # seconds until a place that gives nothing is left
BATCH = 16  # a place that is so many pieces ahead is compared with others
FASTER = 3  # and is left for one that is so many times as fast
NEIGHBOURS = 50
# A faulty host is one of so many; a slow one has a link of so small a part.
ONE_IN, SLOWER = 20, 20
STORE = 0


@dataclass
class Spreading:
    """One run: who has which pieces when. Host 0 is the store."""

    hosts: int
    pieces: int
    piece: float  # seconds on a whole link
    places: Mapping[int, list[int]]  # of each host: whom it asks, the first of them first
    ordered: bool  # pieces come in their order, and from one place at a time
    faulty: Mapping[int, str] = field(default_factory=dict)
    dies: Mapping[int, float] = field(default_factory=dict)
    seed: int = 1

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.every = (1 << self.pieces) - 1
        self.have = [self.every if it == STORE else 0 for it in range(self.hosts + 1)]
        self.coming = [0] * (self.hosts + 1)  # the pieces on their way
        self.sends, self.gets = [False] * (self.hosts + 1), [False] * (self.hosts + 1)
        self.at = [0] * (self.hosts + 1)  # where in its places an ordered host is
        self.took: list[dict[int, float]] = [{} for _ in range(self.hosts + 1)]
        self.ended = [0.0] * (self.hosts + 1)
        self.events: list[tuple[float, int, Callable[[float], None]]] = []
        self.numbers = count()  # of events, so that those of one moment come in their order
        self.below: dict[int, list[int]] = {}
        for one, places in self.places.items():
            for place in places if not self.ordered else places[:1]:
                self.below.setdefault(place, []).append(one)

    def seconds(self) -> list[float]:
        """When each host that lives had everything."""
        for one, time in self.dies.items():
            self._later(time, partial(self._die, one))
        self._later(0.0, partial(self._send, STORE))
        while self.events:
            now, _, event = heapq.heappop(self.events)
            event(now)
        living = [it for it in range(1, self.hosts + 1) if it not in self.dies]
        assert all(self.have[it] == self.every for it in living)
        return [self.ended[it] for it in living]

    def _later(self, time: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self.events, (time, next(self.numbers), event))

    def _dead(self, one: int, now: float) -> bool:
        return one in self.dies and now >= self.dies[one]

    def _send(self, one: int, now: float) -> None:
        """Let a host send what it has to whoever wants it, if its link is free."""
        if self.sends[one] or not self.have[one] or self._dead(one, now):
            return
        waiting = self.below.get(one, [])
        begin = 0 if self.ordered or not waiting else self.random.randrange(len(waiting))
        for step in range(len(waiting)):
            index = (begin + step) % len(waiting)
            other = waiting[index]
            if self.gets[other] or self._dead(other, now):
                continue
            piece = self._next(self.have[one] & ~(self.have[other] | self.coming[other]), other)
            if piece:
                if self.ordered:  # in turns
                    waiting.append(waiting.pop(index))
                self._transfer(one, other, piece, now)
                return

    def _next(self, lacking: int, other: int) -> int:
        """One of these pieces, as a bit; 0: none."""
        if self.ordered:
            return lacking & (self.have[other] + 1)
        if not lacking:
            return 0
        # A random one: rarest first needs what neighbours know of each other, and gains little.
        turn = self.random.randrange(self.pieces)
        upper = lacking >> turn << turn
        lacking = upper or lacking
        return lacking & -lacking

    def _transfer(self, one: int, other: int, piece: int, now: float) -> None:
        self.sends[one] = self.gets[other] = True
        self.coming[other] |= piece
        slow = SLOWER if self.faulty.get(one) == "slow" else 1
        took = self.piece * slow
        self._later(now + took, partial(self._arrive, one, other, piece, took))

    def _arrive(self, one: int, other: int, piece: int, took: float, now: float) -> None:
        self.sends[one] = self.gets[other] = False
        self.coming[other] &= ~piece
        if self._dead(one, now):
            return  # what was cut off: the patience of the other ends, see _die
        if self.faulty.get(one) == "lying":
            self._leave(one, other, now)
        elif not self._dead(other, now):
            self.have[other] |= piece
            self.ended[other] = now
            if self.ordered:
                self._compare(one, other, took, now)
        self._send(other, now)
        self._send(one, now)
        for place in self._asked(other):
            self._send(place, now)

    def _asked(self, other: int) -> list[int]:
        return [self.places[other][self.at[other]]] if self.ordered else self.places[other]

    def _compare(self, one: int, other: int, took: float, now: float) -> None:
        """A place that is ahead is compared with the others, and the nearest that is not slow is asked on."""
        known, places = self.took[other], self._left(other)
        ahead = self.have[one].bit_length() - self.have[other].bit_length() >= BATCH
        if not ahead and (one in known or one == places[0]):
            return
        known[one] = took
        untried = [it for it in places if it not in known]
        best = min(known.values()) * FASTER
        self._move(one, other, next(iter(untried or [it for it in places if known[it] <= best])), now)

    def _left(self, other: int) -> list[int]:
        """The places that a host has not left for good, the nearest first."""
        return [it for it in self.places[other] if self.took[other].get(it) != math.inf]

    def _leave(self, one: int, other: int, now: float) -> None:
        """Ask this place no more."""
        if self.ordered:
            self.took[other][one] = math.inf
            self._move(one, other, self._left(other)[0], now)
        elif other in self.below[one]:
            self.below[one].remove(other)

    def _move(self, one: int, other: int, place: int, now: float) -> None:
        if place == one:
            return
        self.below[one].remove(other)
        self.at[other] = self.places[other].index(place)
        self.below.setdefault(place, []).append(other)
        self._send(place, now)

    def _die(self, one: int, now: float) -> None:
        """Whoever asks it waits in vain for a while, then goes on."""
        for other in list(self.below.get(one, ())):
            self._later(now + SILENT, partial(self._miss, one, other))

    def _miss(self, one: int, other: int, now: float) -> None:
        if other in self.below.get(one, ()):
            self._leave(one, other, now)
            if self.ordered and self._dead(self._asked(other)[0], now):
                self._later(now + SILENT, partial(self._miss, self._asked(other)[0], other))


def places(way: str, hosts: int, seed: int = 1) -> dict[int, list[int]]:
    """Whom each host asks: those above it in a tree, the nearest first; or its neighbours in a swarm."""
    every = range(1, hosts + 1)
    if way in ("swarm", "whole"):
        choice = random.Random(seed)
        return {it: [STORE, *choice.sample(every, min(NEIGHBOURS, hosts))] for it in every}
    width = {"plain": hosts, "tree": 2, "chain": 1}[way]
    return {it: above(it, width) for it in every}


def above(host: int, width: int) -> list[int]:
    """Whom one asks in a tree that is filled row by row: the nearest above it, and the store at last."""
    found = []
    while host != STORE:
        host = (host - 1) // width
        found.append(host)
    return [*found[:-1][:NEAREST], STORE]


def simulated(way: str, hosts: int, fault: str = "", seed: int = 1) -> list[float]:
    """Seconds until each host that lives has all of it."""
    choice = random.Random(seed)
    faulty = choice.sample(range(1, hosts + 1), hosts // ONE_IN) if fault else []
    count = 1 if way == "whole" else round(CONTENT / (SWARM_PIECE if way == "swarm" else PIECE))
    whole = CONTENT / LINK
    return Spreading(
        hosts,
        count,
        whole / count,
        places(way, hosts, seed),
        ordered=way not in ("swarm", "whole"),
        faulty=dict.fromkeys(faulty, fault) if fault != "dead" else {},
        dies={it: choice.uniform(0, whole) for it in faulty} if fault == "dead" else {},
        seed=seed,
    ).seconds()


@dataclass(frozen=True)
class Spread:
    """When the last of a fleet has all, by way; in times that one host alone takes."""

    hosts: int
    fault: str  # that one host in twenty has; empty: none
    last: Mapping[str, float]


def spread(hosts: int, fault: str = "", ways: Sequence[str] = WAYS) -> Spread:
    """Simulate one fleet."""
    alone = CONTENT / LINK
    return Spread(hosts, fault, {way: max(simulated(way, hosts, fault)) / alone for way in ways})


def every() -> Iterator[Spread]:
    """All fleets of the table, in its order."""
    yield from (spread(it) for it in SIZES)
    yield from (spread(FAULTY, it) for it in FAULTS)
