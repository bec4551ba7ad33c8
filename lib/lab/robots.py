"""A robot in a small world of squares: what it can do, and what becomes of it. Knows no words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

Square = tuple[int, int]  # row, column; from the top left
AROUND: tuple[Square, ...] = ((-1, 0), (0, 1), (1, 0), (0, -1))  # headings: up, right, down, left
TURNS = {"left": -1, "right": 1, "around": 2}


class Skill(NamedTuple):
    """What a robot can be told. verb: forward, back (squares), left, right, around, take, reach (a thing), wall."""

    verb: str
    what: int | str = 0


@dataclass(frozen=True)
class World:
    """Squares that nothing crosses: walls, and things until they are taken."""

    size: int
    walls: frozenset[Square]
    things: Mapping[str, Square]


@dataclass(frozen=True)
class State:
    """Where the robot is, where it looks (0 up, then clockwise), what it holds."""

    square: Square
    heading: int
    held: frozenset[str] = frozenset()


def is_free(world: World, state: State, square: Square) -> bool:
    """Whether the robot could stand there."""
    inside = all(0 <= one < world.size for one in square)
    things = {where for name, where in world.things.items() if name not in state.held}
    return inside and square not in world.walls and square not in things


def do(world: World, state: State, skill: Skill) -> State | None:
    """What becomes of the robot; None when the world does not permit the skill, and nothing moves then."""
    if skill.verb in TURNS:
        return replace(state, heading=(state.heading + TURNS[skill.verb]) % 4)
    if skill.verb in ("forward", "back"):
        sign = 1 if skill.verb == "forward" else -1
        squares = list(_line(state, sign, int(skill.what)))
        return replace(state, square=squares[-1]) if all(is_free(world, state, one) for one in squares) else None
    ahead = [next(_line(state, 1, 1))]
    while is_free(world, state, ahead[-1]):
        ahead.append(next(_line(replace(state, square=ahead[-1]), 1, 1)))
    thing = next((name for name, where in world.things.items() if where == ahead[-1] and name not in state.held), "")
    if skill.verb == "take":
        return replace(state, held=state.held | {thing}) if len(ahead) == 1 and thing == skill.what else None
    if skill.verb not in ("reach", "wall"):
        raise ValueError(f"{skill.verb} is nothing that a robot can do")
    right = thing == skill.what if skill.verb == "reach" else not thing
    return replace(state, square=ahead[-2]) if right and len(ahead) > 1 else None


def walk(world: World, state: State, skills: Sequence[Skill]) -> list[State] | None:
    """The states that skills lead through, the first included; None when one of them is not permitted."""
    states = [state]
    for skill in skills:
        following = do(world, states[-1], skill)
        if following is None:
            return None
        states.append(following)
    return states


def draw(
    skills: Sequence[Skill], things: Sequence[str], rng: np.random.Generator, size: int = 8, walls: int = 6
) -> tuple[World, State]:
    """A world and a robot in it, drawn until the world permits these skills. Raises ValueError when none is found."""
    for _ in range(100_000):
        drawn = rng.permutation(size * size)[: walls + len(things) + 1].tolist()
        squares = [divmod(one, size) for one in drawn]
        world = World(size, frozenset(squares[:walls]), dict(zip(things, squares[walls:-1], strict=True)))
        state = State(squares[-1], int(rng.integers(4)))
        if walk(world, state, skills):
            return world, state
    raise ValueError(f"no world was found that permits {skills}")


def _line(state: State, sign: int, count: int) -> Iterator[Square]:
    """The squares in front of the robot, or behind it."""
    down, right = AROUND[state.heading]
    for step in range(1, count + 1):
        yield state.square[0] + sign * step * down, state.square[1] + sign * step * right
