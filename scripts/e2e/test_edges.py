"""Any edge serves any run; viewers move while edges are killed."""

import random
import threading
import time

from cases import test
from waiting import same, within

MODEL = "scripted/lorem?chunks=500&rate=25&seed="


def moving(s, replicas, kills):
    s.kube.scale("aideator-edge", replicas)
    within(90, f"{replicas} edges", lambda: s.kube.rolled_out("deployments", "aideator-edge"))
    within(30, "their doors", lambda: len(s.edges.open) == replicas)
    run = s.submit("move", variations=[{"model": MODEL + str(seed)} for seed in range(3)])
    viewers = [s.viewer(run) for _ in range(3)]
    for variation in range(3):
        s.api.become(run, "running", 60, variation)
    killed, over = 0, threading.Event()

    def move():
        while not over.wait(random.uniform(0.5, 1.5)):
            random.choice(viewers).move()

    mover = threading.Thread(target=move, daemon=True)
    mover.start()
    last = 0
    try:
        while killed < kills and not all(viewer.ended for viewer in viewers):
            ready = s.kube.ready("edge")
            if len(ready) > 1 and time.monotonic() - last > 3:
                s.kube.delete("pods", random.choice(ready)["metadata"]["name"], grace=random.choice([0, None]))
                killed, last = killed + 1, time.monotonic()
            else:
                within(30, "another edge", lambda: time.monotonic() - last > 3 and len(s.kube.ready("edge")) > 1)
    finally:
        for viewer in viewers:
            viewer.thread.is_alive() and viewer.thread.join(90)
        over.set()
        mover.join(10)
    for viewer in viewers:
        viewer.end(1)
        for variation in range(3):
            same(viewer.text(variation), s.scripted(MODEL + str(variation)), f"variation {variation}")
    moves = sum(viewer.connections for viewer in viewers)
    assert moves > 2 * len(viewers), f"only {moves} connections"
    return f"{killed} edges killed, {moves} connections of {len(viewers)} viewers"


@test
def viewers_that_move_between_two_edges_of_which_one_is_killed_again_and_again_miss_and_repeat_nothing(s):
    return moving(s, 2, 4)


@test
def viewers_that_move_between_four_edges_of_which_one_is_killed_again_and_again_miss_and_repeat_nothing(s):
    try:
        return moving(s, 4, 5)
    finally:
        s.kube.scale("aideator-edge", 2)
