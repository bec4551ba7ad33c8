"""A robot in its world: every skill against squares counted by hand, and worlds that permit what is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lab.robots import AROUND, Skill, State, World, do, draw, is_free, walk

# 4 x 4: a wall at (0, 2), the ball at (2, 0), the key at (3, 3).
WORLD = World(4, frozenset({(0, 2)}), {"ball": (2, 0), "key": (3, 3)})


@pytest.mark.parametrize(
    ("start", "skill", "end"),
    [
        (State((3, 1), 0), Skill("forward", 3), State((0, 1), 0)),
        (State((3, 1), 0), Skill("forward", 4), None),  # the edge
        (State((0, 0), 1), Skill("forward", 2), None),  # a wall
        (State((0, 0), 2), Skill("forward", 2), None),  # the ball
        (State((0, 0), 2), Skill("forward", 1), State((1, 0), 2)),
        (State((3, 1), 2), Skill("back", 2), State((1, 1), 2)),
        (State((0, 0), 3), Skill("back", 2), None),
        (State((1, 1), 0), Skill("left"), State((1, 1), 3)),
        (State((1, 1), 3), Skill("right"), State((1, 1), 0)),
        (State((1, 1), 1), Skill("around"), State((1, 1), 3)),
        (State((1, 0), 2), Skill("take", "ball"), State((1, 0), 2, frozenset({"ball"}))),
        (State((0, 0), 2), Skill("take", "ball"), None),  # out of reach
        (State((1, 0), 2), Skill("take", "key"), None),
        (State((0, 0), 2), Skill("reach", "ball"), State((1, 0), 2)),
        (State((1, 0), 2), Skill("reach", "ball"), None),  # it is there already
        (State((0, 3), 2), Skill("reach", "key"), State((2, 3), 2)),
        (State((0, 0), 1), Skill("wall"), State((0, 1), 1)),
        (State((0, 0), 2), Skill("wall"), None),  # the ball comes first
        (State((0, 1), 1), Skill("wall"), None),
        (State((0, 0), 2, frozenset({"ball"})), Skill("forward", 3), State((3, 0), 2, frozenset({"ball"}))),
        (State((1, 0), 2, frozenset({"ball"})), Skill("take", "ball"), None),
    ],
)
def test_each_skill(start, skill, end):
    assert do(WORLD, start, skill) == end


def test_an_unknown_skill_is_an_error():
    with pytest.raises(ValueError, match="fly"):
        do(WORLD, State((1, 1), 0), Skill("fly"))


def test_a_walk_stops_at_what_is_not_permitted():
    states = walk(WORLD, State((3, 1), 0), [Skill("forward", 3), Skill("left")])
    assert [state.square for state in states] == [(3, 1), (0, 1), (0, 1)]
    assert walk(WORLD, State((3, 1), 0), [Skill("left"), Skill("forward", 4)]) is None


@given(st.integers(0, 1000))
def test_drawn_worlds_permit_and_do_not_overlap(seed):
    skills = [Skill("around"), Skill("wall")]
    world, state = draw(skills, ["ball", "key"], np.random.default_rng(seed), size=5, walls=3)
    assert walk(world, state, skills)
    assert len(world.walls | set(world.things.values()) | {state.square}) == 6
    assert is_free(world, state, state.square)
    assert draw(skills, ["ball", "key"], np.random.default_rng(seed), size=5, walls=3) == (world, state)


def test_a_world_that_cannot_be_is_told():
    with pytest.raises(ValueError, match="no world"):
        draw([Skill("forward", 9)], [], np.random.default_rng(0), size=2, walls=0)


def test_headings_turn_clockwise():
    assert AROUND == ((-1, 0), (0, 1), (1, 0), (0, -1))
