from distill.opcheck.match_order import aligned


def test_alignment_is_the_longest_common_subsequence() -> None:
    first = [("CONV", 4), ("PAD", 6), ("MUL", 4), ("ADD", 4), ("CONV", 8)]
    second = [("CONV", 4), ("MUL", 4), ("DIV", 4), ("CONV", 8), ("CONV", 8)]
    assert aligned(first, second) in ({0: 0, 2: 1, 4: 3}, {0: 0, 2: 1, 4: 4})
    assert aligned(first, []) == aligned([], second) == {}
