import random
from itertools import combinations

from distill.report.label_placement import Box, Disc, place_labels

FRAME = Box(0, 0, 800, 450)


def _overlap(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.bottom < b.top and b.bottom < a.top


def test_a_lonely_name_is_right_of_its_disc() -> None:
    (box,) = place_labels([Disc(100, 100, 5)], [(60, 10)], FRAME)
    assert box == Box(107.5, 95, 167.5, 105)


def test_names_in_a_crowd_are_inside_the_frame_and_on_nothing() -> None:
    draw = random.Random(0)
    for _ in range(20):
        discs = [Disc(draw.uniform(100, 700), draw.uniform(100, 350), draw.uniform(3, 20)) for _ in range(14)]
        discs.append(discs[0])
        boxes = place_labels(discs, [(draw.uniform(60, 170), 10)] * len(discs), FRAME)
        assert all(box.left >= 0 and box.right <= 800 and box.bottom >= 0 and box.top <= 450 for box in boxes)
        assert not any(_overlap(a, b) for a, b in combinations(boxes, 2))
        around = [Box(d.x - d.radius, d.y - d.radius, d.x + d.radius, d.y + d.radius) for d in discs]
        assert not any(_overlap(box, disc) for box in boxes for disc in around)


def test_a_name_that_fits_nowhere_is_written_all_the_same() -> None:
    (box,) = place_labels([Disc(5, 5, 2)], [(50, 10)], Box(0, 0, 10, 10))
    assert box.right - box.left == 50
