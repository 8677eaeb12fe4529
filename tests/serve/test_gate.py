from __future__ import annotations

import asyncio

from sod_plugins.serve.gate import Gate


def test_weights_inside_never_exceed_the_capacity():
    async def main():
        gate, most = Gate(10), 0

        async def visit(weight):
            nonlocal most
            inside = await gate.enter(weight)
            most = max(most, gate.inside)
            await asyncio.sleep(0.001)
            gate.leave(inside)

        await asyncio.gather(*(visit(1 + n % 7) for n in range(100)))
        return gate.inside, most

    inside, most = asyncio.run(main())
    assert inside == 0
    assert 7 < most <= 10


def test_the_order_is_that_of_asking():
    """A large one is not overtaken by small ones that would fit."""

    async def main():
        gate, order = Gate(10), []
        await gate.enter(6)

        async def visit(name, weight):
            await gate.enter(weight)
            order.append(name)
            gate.leave(weight)

        tasks = [asyncio.create_task(visit(*pair)) for pair in (('large', 9), ('small', 1))]
        await asyncio.sleep(0)
        assert order == []
        gate.leave(6)
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(main()) == ['large', 'small']


def test_more_than_the_capacity_goes_in_alone():
    async def main():
        gate = Gate(10)
        weight = await gate.enter(25)
        assert weight == gate.inside == 10
        gate.leave(weight)
        return gate.inside

    assert asyncio.run(main()) == 0


def test_who_gives_up_makes_room():
    async def main():
        gate = Gate(10)
        await gate.enter(10)
        first, second = (asyncio.create_task(gate.enter(weight)) for weight in (10, 3))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        gate.leave(10)
        assert await second == 3
        # Let in and given up in the same turn of the loop.
        third = asyncio.create_task(gate.enter(10))
        await asyncio.sleep(0)
        gate.leave(3)
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)
        return gate.inside

    assert asyncio.run(main()) == 0
