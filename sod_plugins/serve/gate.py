"""A weighted semaphore that is fair: first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """A semaphore with weights.

    A task waits until all earlier ones have entered, so that small tasks cannot starve a large one.
    A weight above the capacity counts as the capacity.

    Args:
        capacity: The largest sum of weights inside.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.inside = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def enter(self, weight: int) -> int:
        """Wait for room, and return the weight for :meth:`leave`."""
        weight = min(weight, self.capacity)
        if not self._waiting and self.inside + weight <= self.capacity:
            self.inside += weight
            return weight
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((weight, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in and cancelled at the same time
                self.leave(weight)
            else:
                self._waiting.remove((weight, turn))
                self._let_in()
            raise
        return weight

    def leave(self, weight: int) -> None:
        """Release a weight."""
        self.inside -= weight
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.inside + self._waiting[0][0] <= self.capacity:
            weight, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.inside += weight
                turn.set_result(None)
