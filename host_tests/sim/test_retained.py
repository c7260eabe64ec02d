"""Memory that outlives a reset of the processor, but not the loss of its supply."""

import json

from boards.sim.world import World


def test_it_has_the_size_of_an_rp2040s_and_begins_empty():
    words = memoryview(World().retained.words)
    assert words.nbytes == 28  # micropython.md: machine.mem_backup() on RP2040
    assert list(words) == [0] * 7


def test_a_reset_leaves_it_alone_and_a_power_cut_clears_it():
    world = World()
    view = memoryview(world.retained.words)
    for word in range(7):
        view[word] = 0x3FFFFFFF - word
    saved = json.loads(json.dumps(world.save()))
    after_reset, after_power_cut = World(), World()
    handed_out = memoryview(after_reset.retained.words)
    after_reset.restore(saved)
    after_power_cut.restore(saved, powered=False)
    assert list(handed_out) == [0x3FFFFFFF - word for word in range(7)]
    assert list(after_power_cut.retained.words) == [0] * 7
