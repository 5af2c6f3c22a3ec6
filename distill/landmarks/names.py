"""Names of keypoints in a file, compared with the points of a scheme.

A scheme names parts of the face and pairs of mirrored points, not single points. That is enough to notice a file whose
points are others, or the same in another order.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from distill.errors import ConfigError
from distill.landmarks.schemes import Scheme

# Words in the names of keypoints and of groups -> part of the face.
_PARTS = {
    "eyes": ("eye", "eyes", "pupil", "pupils", "iris", "canthus", "eyelid", "eyelids"),
    "brows": ("brow", "brows", "eyebrow", "eyebrows"),
    "nose": ("nose", "nostril", "nostrils", "nosetip"),
    "mouth": ("mouth", "lip", "lips"),
    "jaw": ("jaw", "jawline", "chin", "contour", "cheek"),
    "ears": ("ear", "ears"),
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}


def require_names(names: Sequence[str], scheme: Scheme, source: Path) -> None:
    """Check that keypoints of these names, in this order, can be the points of a scheme.

    Raises:
        ConfigError: with the first point that is another.
    """
    if fault := names_fault(names, scheme):
        raise ConfigError(
            f"{source}: {fault}; reorder the keypoints, or name another scheme with --data.scheme FILE.yaml"
        )


def names_fault(names: Sequence[str], scheme: Scheme) -> str | None:
    """Return the contradiction of the names of a file to a scheme of as many points, or None."""
    words = [tuple(word.lower() for word in _WORD.findall(name)) for name in names]
    return _number_fault(names, words) or _part_fault(names, words, scheme) or _pair_fault(names, words, scheme)


def _number_fault(names: Sequence[str], words: Sequence[tuple[str, ...]]) -> str | None:
    """Names that are nothing but a number after the same words must count upwards."""
    if not all(part and part[-1].isdecimal() for part in words) or len({part[:-1] for part in words}) > 1:
        return None
    numbers = [int(part[-1]) for part in words]
    for index, number in enumerate(numbers):
        if number != min(numbers) + index:
            return (
                f"keypoint {index} is called '{names[index]}', so that the keypoints are not in the order of a scheme"
            )
    return None


def _part(words: Sequence[str]) -> str | None:
    parts = {_PART_OF[word] for word in words if word in _PART_OF}
    return parts.pop() if len(parts) == 1 else None


def _part_fault(names: Sequence[str], words: Sequence[tuple[str, ...]], scheme: Scheme) -> str | None:
    for group, points in scheme.groups.items():
        wanted = _part([word.lower() for word in _WORD.findall(group)])
        for point in points:
            actual = _part(words[point])
            if wanted and actual and wanted != actual:
                return f"keypoint {point} is called '{names[point]}', but point {point} of {scheme.name} is in {group}"
    return None


def _pair_fault(names: Sequence[str], words: Sequence[tuple[str, ...]], scheme: Scheme) -> str | None:
    """Names that differ in the side alone must be mirrored points of the scheme."""
    positions = {part: index for index, part in enumerate(words)}
    for index, part in enumerate(words):
        other = positions.get(tuple(_SIDES.get(word, word) for word in part), index)
        if other != index and scheme.flip[index] != other:
            partner = scheme.flip[index]
            return (
                f"keypoints {index} and {other} are called '{names[index]}' and '{names[other]}', but the mirrored "
                f"point of {index} in {scheme.name} is {partner}"
            )
    return None
