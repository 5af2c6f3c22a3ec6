"""Parse and validate the YAML of a landmark scheme; an error is one line that names the key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.errors import ConfigError, suggest

# Far above any face scheme; it keeps a mistyped range from filling the memory.
MAX_POINTS = 1000

_REQUIRED = ("name", "title", "n_points", "flip", "groups", "edges")
_OPTIONAL = ("about", "ocular", "pupil", "from")
_RULES = ({"stride", "step"}, {"mean"}, {"blend"}, {"x", "y"})

EyeEnds = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Edge:
    """A curve through points, in order; a closed one returns to its first point."""

    name: str
    points: tuple[int, ...]
    closed: bool


def _indices(spec: Any, depth: int = 0) -> Iterator[int]:
    if isinstance(spec, int) and not isinstance(spec, bool) and 0 <= spec < MAX_POINTS:
        yield spec
    elif isinstance(spec, str) and len(spec) < 12:
        first, dash, last = spec.partition("-")
        if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
            raise ConfigError(f"{spec!r} is not an index or a range such as 17-21")
        ends = int(first), int(last or first)
        if not ends[0] <= ends[1] < MAX_POINTS:
            raise ConfigError(f"range {spec!r} does not run upwards below {MAX_POINTS}")
        yield from range(ends[0], ends[1] + 1)
    elif isinstance(spec, Sequence) and not isinstance(spec, str) and depth < 4:
        for part in spec:
            yield from _indices(part, depth + 1)
    else:
        raise ConfigError(f"{str(spec)[:40]!r} is not an index (0-{MAX_POINTS - 1}) or a range such as 17-21")


def expand_indices(spec: Any) -> tuple[int, ...]:
    """`17-21` -> (17, ..., 21); a number or a list of numbers and ranges likewise.

    Raises:
        ConfigError: anything else, without the file name, which the caller adds.
    """
    indices: list[int] = []
    for index in _indices(spec):
        indices.append(index)
        if len(indices) > MAX_POINTS:
            raise ConfigError(f"more than {MAX_POINTS} indices")
    if not indices:
        raise ConfigError("no index where at least one belongs")
    return tuple(indices)


def _within(spec: Any, n: int, what: str) -> tuple[int, ...]:
    """Distinct indices below n."""
    points = expand_indices(spec)
    if max(points) >= n:
        raise ConfigError(f"{what} holds point {max(points)}, but there are {n} (0-{n - 1})")
    if len(set(points)) < len(points):
        twice = next(point for point in points if points.count(point) > 1)
        raise ConfigError(f"{what} holds point {twice} twice")
    return points


def _flip(pairs: Any, n: int) -> tuple[int, ...]:
    if not isinstance(pairs, list):
        raise ConfigError("must be a list of pairs such as [[0, 16], [1, 15]], or [] when no point has a partner")
    flip = list(range(n))
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ConfigError(f"{str(pair)[:40]} is not a pair of indices")
        a, b = _within(pair, n, f"pair {str(pair)[:40]}")
        for point in (a, b):
            if flip[point] != point:
                raise ConfigError(f"point {point} has two partners, {flip[point]} and {b if point == a else a}")
        flip[a] = b
        flip[b] = a
    return tuple(flip)


def _groups(raw: Any, n: int) -> dict[str, tuple[int, ...]]:
    if not isinstance(raw, Mapping) or not raw:
        raise ConfigError("must name parts of the face, such as {eyes: 0-1, mouth: 2-4}")
    group_of: dict[int, str] = {}
    groups = {str(name): _within(points, n, str(name)) for name, points in raw.items()}
    for name, points in groups.items():
        for point in points:
            if point in group_of:
                raise ConfigError(f"point {point} is in {group_of[point]} and in {name}")
            group_of[point] = name
    missing = next((point for point in range(n) if point not in group_of), None)
    if missing is not None:
        raise ConfigError(f"point {missing} is in no group, and n_points is {n}")
    return groups


def _edges(raw: Any, n: int) -> tuple[Edge, ...]:
    if not isinstance(raw, list):
        raise ConfigError("must be a list such as [{name: jaw, points: 0-16, closed: false}]")
    edges = []
    for edge in raw:
        if not isinstance(edge, Mapping) or set(edge) != {"name", "points", "closed"}:
            raise ConfigError(f"{str(edge)[:60]} is not {{name: ..., points: ..., closed: true or false}}")
        if not isinstance(edge["closed"], bool):
            raise ConfigError(f"{edge['name']}: closed is {edge['closed']!r}, not true or false")
        points = _within(edge["points"], n, str(edge["name"]))
        if len(points) < 2:
            raise ConfigError(f"{edge['name']} has one point; a curve needs two")
        edges.append(Edge(str(edge["name"]), points, edge["closed"]))
    names = [edge.name for edge in edges]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{names.count(name)} edges are called {name}")
    return tuple(edges)


def _eye_ends(spec: Any, n: int, flip: Sequence[int]) -> EyeEnds | None:
    if spec is None:
        return None
    if not isinstance(spec, list) or len(spec) != 2:
        raise ConfigError("must be two ends, subject's right and left, such as [[36], [45]]")
    right, left = (_within(end, n, f"end {end}") for end in spec)
    if {flip[point] for point in right} != set(left):
        raise ConfigError(f"the ends {spec[0]} and {spec[1]} are not mirror images of each other")
    return right, left


def _rule_length(rule: Any) -> int:
    """How many points a rule makes, after checking its form; the range is checked against the source when used."""
    if not isinstance(rule, Mapping):
        return len(expand_indices(rule))
    if set(rule) not in _RULES:
        raise ConfigError(f"{str(dict(rule))[:60]} is none of {{stride, step}}, {{mean}}, {{blend}}, {{x, y}}")
    if "blend" in rule:
        weights = rule["blend"]
        numbers = isinstance(weights, Mapping) and all(
            isinstance(index, int) and isinstance(weight, int | float) for index, weight in weights.items()
        )
        if not numbers or not weights:
            raise ConfigError(f"blend {str(weights)[:40]} is not {{index: weight, ...}}")
        expand_indices(list(weights))
        if abs(sum(weights.values()) - 1) > 1e-6:
            raise ConfigError(f"the weights of {dict(weights)} do not add up to 1")
        return 1
    if "stride" in rule:
        if not isinstance(rule["step"], int) or rule["step"] < 1:
            raise ConfigError(f"step is {rule['step']!r}, not a number of points")
        return len(expand_indices(rule["stride"])[:: rule["step"]])
    for indices in rule.values():
        expand_indices(indices)
    return 1


def _bias(raw: Any) -> None:
    if not isinstance(raw, Mapping) or not {"mean", "max", "faces"} <= set(raw):
        raise ConfigError("bias must hold mean, max and faces")


def _sources(raw: Any, n: int) -> dict[str, Mapping[str, Any]]:
    if not isinstance(raw, Mapping):
        raise ConfigError("must map names of schemes to {exact: ..., points: [...]} or {through: NAME}")
    for source, rule in raw.items():
        if not isinstance(rule, Mapping):
            raise ConfigError(f"{source} is not {{exact: ..., points: [...]}} or {{through: NAME}}")
        unknown = set(rule) - {"exact", "points", "through", "bias"}
        if unknown or ("through" in rule) == ("points" in rule):
            raise ConfigError(f"{source} holds {', '.join(map(str, rule))}; give exact and points, or through")
        if "bias" in rule:
            _bias(rule["bias"])
        if "through" in rule:
            continue
        if not isinstance(rule.get("exact"), bool) or not isinstance(rule["points"], list):
            raise ConfigError(f"{source} needs exact: true or false, and points: a list")
        made = sum(_rule_length(part) for part in rule["points"])
        if made != n:
            raise ConfigError(f"the rules for {source} make {made} points of {n}")
    return {str(source): rule for source, rule in raw.items()}


def parse_scheme(raw: Any) -> dict[str, Any]:
    """Return the fields of `Scheme` from the content of a scheme's YAML.

    Raises:
        ConfigError: what is wrong, after the name of its key; without the file name, which the caller adds.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"not a landmark scheme but {type(raw).__name__}")
    for key in _REQUIRED:
        if key not in raw:
            raise ConfigError(f"not a landmark scheme: no {key}")
    for key in raw:
        if key not in _REQUIRED + _OPTIONAL:
            raise ConfigError(f"unknown key {key!r}: {suggest(str(key), [*_REQUIRED, *_OPTIONAL])}")
    n = raw["n_points"]
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MAX_POINTS:
        raise ConfigError(f"n_points: {n!r} is not a number of points (1-{MAX_POINTS})")
    key = "flip"
    try:
        fields: dict[str, Any] = {"flip": _flip(raw["flip"], n)}
        key = "groups"
        fields["groups"] = _groups(raw["groups"], n)
        key = "edges"
        fields["edges"] = _edges(raw["edges"], n)
        for key in ("ocular", "pupil"):
            fields[key] = _eye_ends(raw.get(key), n, fields["flip"])
        key = "from"
        fields["sources"] = _sources(raw.get("from", {}), n)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error
    text = {key: str(raw.get(key, "")) for key in ("name", "title", "about")}
    return {**text, "n_points": n, **fields}
