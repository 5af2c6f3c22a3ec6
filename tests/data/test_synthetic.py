"""Generated faces: the points must lie where the renderer draws, whatever the pose, and the files must be whole."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from distill.data.synthetic import contact_sheet, render_face, write_faces
from distill.data.synthetic.camera import Camera
from distill.data.synthetic.canvas import Canvas
from distill.data.synthetic.clip import render_clip
from distill.data.synthetic.compose import Picture, draw_skin
from distill.data.synthetic.curves import through
from distill.data.synthetic.head import template
from distill.data.synthetic.landmarks import template_landmarks
from distill.data.synthetic.light import Light
from distill.data.synthetic.look import draw_look
from distill.data.synthetic.parameters import Expression, Identity, draw_expression, draw_identity, draw_pose
from distill.data.synthetic.render import Person
from distill.data.synthetic.skin import paint_skin
from distill.data.synthetic.surface import make_surface
from distill.errors import ConfigError
from distill.landmarks import convert, load_scheme
from distill.landmarks.convert import convert_visibility

SCHEMES = ("ibug68", "wflw98", "five")
OPEN = Expression(jaw_degrees=10, part=0.4)


def person(seed: int = 0, expression: Expression | None = None) -> Person:
    rng = np.random.default_rng(seed)
    identity = draw_identity(rng, feminine=bool(seed % 2))
    return Person.build(identity, expression or draw_expression(rng))


def camera(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, size: int = 256) -> Camera:
    return Camera((yaw, pitch, roll), 80.0, size / 26, (size / 2, size * 0.42))


def points(who: Person, at: Camera, scheme: str = "ibug68") -> NDArray[np.float64]:
    return who.landmarks(at)[scheme][0]


def digest(index: int) -> str:
    face = render_face(9, index, 96)
    content = face.image.tobytes() + b"".join(face.landmarks[s].tobytes() + face.visible[s].tobytes() for s in SCHEMES)
    return hashlib.sha256(content).hexdigest()


def test_another_process_renders_the_same_bytes_in_any_order() -> None:
    folder = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {folder!r}); import test_synthetic as t; print(t.digest(4), t.digest(3))"
    root = Path(__file__).resolve().parents[2]
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=120
    )
    assert other.stdout.split() == [digest(4), digest(3)]


def test_seed_and_index_are_not_interchangeable() -> None:
    pictures = {render_face(*key, 64).image.tobytes() for key in ((1, 2), (2, 1), (1, 3), (0, 12))}
    assert len(pictures) == 4


@pytest.mark.parametrize("index", range(6))
def test_a_face_has_every_scheme_and_lies_in_the_picture(index: int) -> None:
    face = render_face(5, index, 128, difficulty=0.0)
    assert face.image.shape == (128, 128, 3)
    assert face.image.dtype == np.uint8
    assert face.pose == (0.0, 0.0, 0.0)
    for scheme in SCHEMES:
        k = load_scheme(scheme).n_points
        assert face.landmarks[scheme].shape == (k, 2)
        assert face.landmarks[scheme].dtype == np.float32
        assert face.visible[scheme].shape == (k,)
        assert face.visible[scheme].dtype == bool
        assert (face.landmarks[scheme] > 0).all()
        assert (face.landmarks[scheme] < 127).all()
    side = np.ptp(face.landmarks["ibug68"], axis=0).max()
    assert 0.35 * 128 <= side <= 0.65 * 128


def test_points_are_named_as_the_schemes_say() -> None:
    at = points(person(1, Expression()), camera())
    assert at[36, 0] < at[39, 0] < at[42, 0] < at[45, 0], "the subject's right eye is on the viewer's left"
    assert at[8, 1] == at[:, 1].max(), "the chin is lowest"
    assert at[0, 0] == at[:17, 0].min()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (51, 57), (62, 66), (19, 30)):
        assert at[upper, 1] < at[lower, 1], (upper, lower)
    wide = points(person(1, Expression()), camera(), "wflw98")
    assert wide[34, 1] < wide[41, 1], "the upper edge of a brow comes first"
    assert np.linalg.norm(wide[96] - wide[60:68].mean(0)) < np.linalg.norm(wide[97] - wide[60:68].mean(0))


@pytest.mark.parametrize("yaw", [0.0, -40.0, 65.0])
def test_schemes_agree_with_each_other(yaw: float) -> None:
    for seed in range(4):
        who, at = person(seed), camera(yaw, 8.0, -5.0)
        exact, other = points(who, at), points(who, at, "wflw98")
        eyes = np.linalg.norm(points(who, camera())[45] - points(who, camera())[36])
        error = np.linalg.norm(convert(other, "wflw98", "ibug68") - exact, axis=1) / eyes
        assert error.max() < 0.03, load_scheme("ibug68").groups
    face = render_face(2, 7, 96)
    np.testing.assert_array_equal(face.landmarks["five"], convert(face.landmarks["ibug68"], "ibug68", "five"))
    np.testing.assert_array_equal(face.visible["five"], convert_visibility(face.visible["ibug68"], "ibug68", "five"))


@pytest.mark.parametrize("scheme", ["ibug68", "wflw98"])
def test_mirrored_parameters_give_mirrored_points(scheme: str) -> None:
    expression = Expression(smile=0.5, skew=0.2, close_right=0.6, raise_left=0.5, gaze=(0.4, 0.1))
    other = replace(
        expression, skew=-0.2, close_right=0.0, close_left=0.6, raise_left=0.0, raise_right=0.5, gaze=(-0.4, 0.1)
    )
    right = points(Person.build(Identity(), expression), camera(35, 10, 12), scheme)
    left = points(Person.build(Identity(), other), camera(-35, 10, -12), scheme)
    flip = list(load_scheme(scheme).flip)
    np.testing.assert_allclose(np.stack([256 - left[:, 0], left[:, 1]], 1)[flip], right, atol=1e-6)


def test_pose_turns_the_face_as_documented() -> None:
    still = points(person(), camera())
    nose = still[30] - still[27]
    assert (points(person(), camera(yaw=30))[30] - points(person(), camera(yaw=30))[27])[0] > nose[0] + 5
    lifted = points(person(), camera(pitch=20))
    assert lifted[30, 1] - lifted[[36, 45], 1].mean() < still[30, 1] - still[[36, 45], 1].mean() - 5
    tilted = points(person(), camera(roll=15))
    assert tilted[45, 1] > tilted[36, 1] + 5, "clockwise: the viewer's right side sinks"


def draw_head(who: Person, at: Camera, size: int, chart: NDArray[np.float32] | None = None) -> Picture:
    """Render the bare head in flat light; `chart` (3, h, w) replaces its texture."""
    rng = np.random.default_rng(0)
    canvas = paint_skin(who.features, who.identity, who.expression, draw_look(rng), 40.0, rng)
    if chart is not None:
        canvas.pixels[:] = chart
    picture = Picture(np.zeros((size, size, 3), np.float32), np.full((size, size), -np.inf, np.float32))
    head = make_surface(who.grid, who.normal, template().faces, paint=template().paint)
    flat = Light(np.array([0, 0, 1], np.float32), np.zeros(3, np.float32), np.ones(3, np.float32), 0.0)
    draw_skin(picture, head, at, canvas, draw_look(rng), flat, rng)
    return picture


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (30, 12, -10), (-65, -10, 5)])
@pytest.mark.parametrize("scheme", ["ibug68", "wflw98"])
def test_what_is_painted_at_a_landmark_appears_at_the_landmark(
    yaw: float, pitch: float, roll: float, scheme: str
) -> None:
    size, who = 384, person(3, OPEN)
    at = camera(yaw, pitch, roll, size)
    x, y = Canvas.blank(40.0).whole().grid()
    # A texture whose colours say where it was painted; the third channel takes the shading out again.
    picture = draw_head(who, at, size, np.stack([*np.broadcast_arrays(x + 20, y + 20, x * 0 + y * 0 + 20)]))
    painted = picture.pixels[..., :2] / np.maximum(picture.pixels[..., 2:], 1e-6) * 20 - 20
    pixels, depth, facing = who.landmarks(at)[scheme]
    jaw, checked = load_scheme(scheme).groups["jaw"], 0
    for index, where in enumerate(template_landmarks(who.features)[scheme]):
        pixel, near, turned = pixels[index], depth[index], facing[index]
        column, row = np.round(pixel).astype(int)
        # Where the skin is seen at a slant, neighbouring pixels already belong to other places.
        if turned < 0.5 or abs(picture.depth[row, column] - near) > 0.3:
            continue
        # One step of Newton from the nearest pixel to where the texture says the landmark's place is.
        across = (painted[row, column + 1] - painted[row, column - 1]) / 2
        down = (painted[row + 1, column] - painted[row - 1, column]) / 2
        step = np.linalg.solve(np.stack([across, down], 1), where - painted[row, column])
        # The texture is the head seen from the front, where the jaw is an outline: it hardly changes across it.
        assert np.linalg.norm([column, row] + step - pixel) < (1.0 if index in jaw else 0.3)
        checked += 1
    assert checked > (40 if abs(yaw) < 60 else 20)


def test_the_outline_of_a_frontal_face_passes_through_the_jaw() -> None:
    size, who = 384, person(2, Expression())
    at = camera(size=size)
    picture = draw_head(who, at, size)
    inside = np.isfinite(picture.depth).astype(np.uint8)
    outline = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    eyes = np.linalg.norm(points(who, at)[45] - points(who, at)[36])
    for jaw in points(who, at)[:17].astype(np.float32):
        assert abs(cv2.pointPolygonTest(outline, jaw.tolist(), True)) < 0.05 * eyes, jaw


def test_pupils_are_darker_than_the_white_of_the_eye() -> None:
    darker = 0
    for index in range(12):
        face = render_face(21, index, 256, difficulty=0.0)
        grey = cv2.cvtColor(face.image, cv2.COLOR_RGB2GRAY).astype(float)
        at = face.landmarks["wflw98"]
        for pupil, lids in ((96, slice(60, 68)), (97, slice(68, 76))):
            if np.ptp(at[lids, 1]) < 7 or not face.visible["wflw98"][pupil]:
                continue
            x, y = np.round(at[pupil]).astype(int)
            mask = np.zeros_like(grey, np.uint8)
            cv2.fillPoly(mask, [np.round(at[lids]).astype(np.int32)], 1)
            darker += 1 if grey[y, x] < 0.6 * np.percentile(grey[mask > 0], 90) else -1
    assert darker >= 8


def test_expressions_move_the_points() -> None:
    at = camera()
    eyes = np.linalg.norm(points(person(0, Expression()), at)[45] - points(person(0, Expression()), at)[36])

    def look(**changes: float) -> NDArray[np.float64]:
        return points(person(0, Expression(**changes)), at) / eyes

    rest = look()
    assert (look(jaw_degrees=15) - rest)[66, 1] > 0.15, "an open mouth lowers the lower lip"
    assert (look(jaw_degrees=15) - rest)[8, 1] > 0.1, "and the chin"
    assert abs((look(jaw_degrees=15) - rest)[27:36]).max() < 1e-3, "but not the nose"
    assert (look(smile=1.0) - rest)[54, 0] > 0.04, "a smile widens the mouth"
    assert (look(smile=1.0) - rest)[54, 1] < -0.03, "and lifts its corners"
    assert (look(pucker=1.0) - rest)[54, 0] < -0.08, "a kiss narrows it"
    assert np.ptp(look(close_right=1.0)[[37, 41], 1]) < 0.25 * np.ptp(rest[[37, 41], 1]), "a shut eye has no height"
    assert abs((look(close_right=1.0) - rest)[42:48]).max() < 1e-6, "and leaves the other alone"
    assert (look(raise_left=1.0) - rest)[24, 1] < -0.03
    assert (look(frown=1.0) - rest)[21, 1] > 0.03


def test_the_far_side_of_a_profile_is_hidden_and_the_near_side_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import distill.data.synthetic.render as module

    counts = {-65.0: np.zeros(68), 65.0: np.zeros(68)}
    for yaw, count in counts.items():
        monkeypatch.setattr(module, "draw_pose", lambda rng, difficulty, yaw=yaw: (yaw, 0.0, 0.0))
        for index in range(8):
            count += render_face(31, index, 128, difficulty=0.0).visible["ibug68"]
    for far, near, yaw in ((range(9, 17), range(2, 8), 65.0), (range(8), range(9, 15), -65.0)):
        assert counts[yaw][list(far)].mean() < 1.0, "of 8 faces"
        assert counts[yaw][list(near)].mean() > 4.0, "hair and beards may hide some"
    assert counts[65.0][[42, 45]].mean() < counts[65.0][[36, 39]].mean()


def test_frontal_clean_faces_show_their_inner_points() -> None:
    visible = np.stack([render_face(8, index, 128, difficulty=0.0).visible["ibug68"] for index in range(10)])
    assert visible[:, 27:].mean() > 0.93


def test_poses_and_difficulty_stay_within_their_ranges() -> None:
    rng = np.random.default_rng(0)
    poses = np.abs([draw_pose(rng, 1.0) for _ in range(2000)])
    assert (poses <= [70, 25, 20]).all()
    assert poses[:, 0].max() > 60
    assert draw_pose(rng, 0.0) == (0.0, 0.0, 0.0)


def test_curves_pass_through_their_points() -> None:
    fixed = np.array([[0.0, 0.0], [1.0, 2.0], [2.5, 1.0], [3.0, 4.0]])
    np.testing.assert_allclose(through(fixed, 5)[::5], fixed, atol=1e-12)


def test_write_faces_writes_a_manifest_of_what_was_rendered(tmp_path: Path) -> None:
    ticks: list[int] = []
    manifest = write_faces(tmp_path / "faces", 10, seed=4, size=64, progress=ticks.append)
    assert manifest == tmp_path / "faces" / "faces.json"
    content = json.loads(manifest.read_text())
    assert content["format"] == "distill-faces/1"
    assert ticks == list(range(1, 11))
    subsets = [face["subset"] for face in content["faces"]]
    assert {name: subsets.count(name) for name in set(subsets)} == {"train": 8, "val": 1, "test": 1}
    entry, face = content["faces"][3], render_face(4, 3, 64)
    assert entry["name"] == f"{entry['subset']}/000003"
    assert entry["group"] == "000003"
    for scheme in SCHEMES:
        np.testing.assert_allclose(entry["points"][scheme], face.landmarks[scheme], atol=1e-3)
        np.testing.assert_array_equal(np.array(entry["visible"][scheme], bool), face.visible[scheme])
    low, high = face.landmarks["ibug68"].min(0), face.landmarks["ibug68"].max(0)
    np.testing.assert_allclose(entry["boxes"]["gt"], [*low, *high], atol=1e-3)
    stored = cv2.imread(str(manifest.parent / entry["image"]))[..., ::-1]
    assert np.abs(stored.astype(int) - face.image).mean() < 8


def test_writing_again_renders_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import distill.data.synthetic.write as module

    manifest = write_faces(tmp_path, 4, seed=1, size=48)
    before = manifest.read_bytes()
    manifest.unlink()
    (tmp_path / "images" / "000002.jpg").write_bytes(b"\xff\xd8 cut off")
    rendered: list[int] = []
    monkeypatch.setattr(module, "render_face", lambda s, i, *more: (rendered.append(i), render_face(s, i, *more))[1])
    write_faces(tmp_path, 4, seed=1, size=48)
    assert rendered == [2]
    assert manifest.read_bytes() == before
    write_faces(tmp_path, 6, seed=1, size=48)
    assert rendered == [2, 4, 5]
    more = json.loads(manifest.read_text())["faces"]
    assert [face["name"] for face in more[:4]] == [face["name"] for face in json.loads(before)["faces"]]


def test_processes_write_the_same_files(tmp_path: Path) -> None:
    first = write_faces(tmp_path / "one", 3, seed=6, size=48, subsets={"train": 1.0})
    second = write_faces(tmp_path / "two", 3, seed=6, size=48, subsets={"train": 1.0}, workers=1)
    assert first.read_bytes() == second.read_bytes()
    for path in (tmp_path / "one" / "images").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "images" / path.name).read_bytes()


def test_a_folder_of_other_faces_is_refused(tmp_path: Path) -> None:
    write_faces(tmp_path / "a", 1, seed=1, size=48)
    with pytest.raises(ConfigError, match="holds other faces"):
        write_faces(tmp_path / "a", 1, seed=2, size=48)
    (tmp_path / "a" / "generator.json").write_text("<html>")
    with pytest.raises(ConfigError, match="holds other faces"):
        write_faces(tmp_path / "a", 1, seed=1, size=48)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "photo.jpg").write_bytes(b"custom")
    with pytest.raises(ConfigError, match=r"no generator\.json"):
        write_faces(tmp_path / "b", 1, seed=1, size=48)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize(
    "bad", [{"count": 0}, {"size": 8}, {"workers": -1}, {"subsets": {}}, {"subsets": {"train": 0.0}}]
)
def test_senseless_requests_are_refused(tmp_path: Path, bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        write_faces(**{"root": tmp_path, "count": 1, "seed": 1, "size": 48, **bad})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_contact_sheets_have_the_requested_size_and_their_schemes() -> None:
    assert contact_sheet(1, 3, 2, 48).shape == (96, 96, 3)
    assert (contact_sheet(1, 1, 1, 48, "five") != contact_sheet(1, 1, 1, 48)).any()
    with pytest.raises(ConfigError, match="inner51"):
        contact_sheet(1, 1, 1, 48, "inner51")


def test_a_clip_moves_in_small_steps_and_repeats() -> None:
    """Catches textures that flicker because they are drawn again, and a jump between the last frame and the first."""
    frames = list(render_clip(3, 1, 24, 96))
    pictures = np.stack([picture for picture, _ in frames]).astype(int)
    points = np.stack([at for _, at in frames])
    steps = np.abs(points - np.roll(points, 1, axis=0)).max(axis=(1, 2))
    assert 0.5 < steps.max() < 8
    changes = np.abs(pictures - np.roll(pictures, 1, axis=0)).mean(axis=(1, 2, 3))
    assert 0 < changes.min() <= changes.max() < 12
    backdrop = pictures[:, 20:30, -6:]
    assert (backdrop == backdrop[0]).all(), "the backdrop is one picture"
