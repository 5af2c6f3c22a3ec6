"""Typical mistakes of users: the commands, and what their one-line message must name."""

from dataclasses import dataclass

from tests.support.mistake_files import OPTIONS


@dataclass(frozen=True)
class Mistake:
    """A command that cannot work.

    Attributes:
        topic: heading in docs/reference/errors.md.
        title: what the user did.
        command: the words after `distill`, run in the folder of `mistake_files.make_files`.
        names: parts of the message: the option or file, and the remedy.
        status: exit status.
        missing: packages that are not installed.
    """

    topic: str
    title: str
    command: str
    names: tuple[str, ...]
    status: int = 2
    missing: tuple[str, ...] = ()


RUN = f"teacher --config teacher {OPTIONS}"
TEACHER = RUN.replace("--runs runs", "--runs out")
OWN = TEACHER.replace("faces", "{}")
STUDENT = f"student --config student {OPTIONS}"

MISTAKES = (
    Mistake(
        "Installation and weights",
        "predict in an installation without a TFLite runtime",
        "predict photo.jpg",
        ("pip install",),
        missing=("ai_edge_litert", "tflite_runtime"),
    ),
    Mistake(
        "Installation and weights",
        "train in an installation that can only predict",
        TEACHER,
        ("pip install",),
        missing=("torch",),
    ),
    Mistake(
        "Installation and weights",
        "export without the conversion packages",
        "export runs/teacher/last.ckpt",
        ("pip install",),
        missing=("onnx",),
    ),
    Mistake(
        "Installation and weights",
        "misspelt name of a released model",
        "predict photo.jpg --model student_68",
        ("student_68_128",),
    ),
    Mistake(
        "Installation and weights",
        "weights that were never trained",
        "evaluate runs/student/best.ckpt --data.format csv --data.root faces",
        ("best.ckpt",),
    ),
    Mistake(
        "Installation and weights",
        "a web page saved as weights",
        "evaluate page.ckpt --data.format csv --data.root faces",
        ("page.ckpt",),
    ),
    Mistake(
        "Installation and weights",
        "a teacher that does not exist",
        STUDENT + " --teacher runs/techer/best.ckpt",
        ("runs/techer/best.ckpt",),
    ),
    Mistake("Data", "a folder that does not exist", OWN.format("facs", "faces"), ("facs",)),
    Mistake("Data", "unknown annotation format", "data check faces --data.format cvs", ("csv",)),
    Mistake("Data", "a photo in the CSV that is missing", OWN.format("lost", "lost"), ("img_0042.jpg",)),
    Mistake("Data", "a CSV without faces", OWN.format("empty", "empty"), ("faces.csv",)),
    Mistake("Data", "a face that is there twice", OWN.format("twice", "twice"), ("0.jpg",)),
    Mistake("Data", "shares of the photo in place of pixels", OWN.format("shares", "shares"), ("pixels",)),
    Mistake("Data", "more points than the scheme has", OWN.format("more", "more"), ("6 points", "has 5")),
    Mistake("Data", "the file in place of its folder", "data check faces/faces.csv --data.format csv", ("a file",)),
    Mistake("Data", "a line with a missing cell", OWN.format("short", "short"), ("line 5",)),
    Mistake("Data", "coordinates of the photo before it was resized", OWN.format("resized", "resized"), ("0.jpg",)),
    Mistake("Data", "a scheme whose number of points is wrong", OWN.format("wrong", "wrong"), ("n_points",)),
    Mistake(
        "Data",
        "a scheme that the annotations cannot give",
        "teacher --config teacher --runs out --data.format csv --data.root faces",
        ("choose scheme mine",),
    ),
    Mistake(
        "Data",
        "a scheme that does not exist",
        "teacher --config teacher --runs out --data.format csv --data.root faces --data.scheme ibug86",
        ("ibug68",),
    ),
    Mistake(
        "Data",
        "training on the test subset",
        OWN.format("split", "split") + " --data.subset train+test",
        ("--data.subset train+test", "--data.test_subset"),
    ),
    Mistake("Data", "a subset that does not exist", OWN.format("split", "split") + " --data.subset trian", ("train",)),
    Mistake(
        "Data",
        "a crop that cuts points off",
        TEACHER + " --data.crop.scale 1.0 --data.crop.shift_y -0.1",
        ("--data.crop",),
    ),
    Mistake("Options and recipes", "misspelt command", "techer", ("teacher",)),
    Mistake("Options and recipes", "misspelt option", TEACHER + " --optim.lrr 0.1", ("optim.lr",)),
    Mistake("Options and recipes", "an option's former name", TEACHER + " --loss.kind wing", ("loss.name",)),
    Mistake("Options and recipes", "an option without effect", TEACHER + " --optim.momentum 0.8", ("optim.momentum",)),
    Mistake("Options and recipes", "text for a number", TEACHER + " --trainer.epochs ten", ("trainer.epochs",)),
    Mistake("Options and recipes", "a number out of its range", TEACHER + " --data.batch_size 0", ("batch_size",)),
    Mistake(
        "Options and recipes", "epochs that no validation ends", TEACHER + " --trainer.epochs 7", ("validate_every",)
    ),
    Mistake("Options and recipes", "a negative weight of a loss", TEACHER + " --loss.star -1", ("--loss.star",)),
    Mistake("Options and recipes", "a negative seed", TEACHER + " --seed -1", ("--seed",)),
    Mistake("Options and recipes", "a negative number of threads", TEACHER + " --trainer.threads -1", ("threads",)),
    Mistake("Options and recipes", "a run outside its folder", TEACHER + " --name ../mine", ("--name",)),
    Mistake("Options and recipes", "an unknown device", TEACHER + " --trainer.accelerator cuda", ("gpu",)),
    Mistake("Options and recipes", "a recipe that does not exist", "teacher --config teachr", ("teacher",)),
    Mistake("Options and recipes", "a recipe that is not YAML", "teacher --config broken.yaml", ("broken.yaml",)),
    Mistake("Options and recipes", "a recipe in UTF-16", "teacher --config utf16.yaml", ("utf16.yaml",)),
    Mistake("Options and recipes", "a network that does not exist", TEACHER + " --model.arch swin_v3", ("swin_v2",)),
    Mistake(
        "Options and recipes",
        "a teacher for a baseline",
        "student --config student --kd.kind none --teacher runs/teacher/best.ckpt",
        ("--kd.kind none",),
    ),
    Mistake("Model files", "a TFLite file that was cut short", "check cut.tflite", ("cut.tflite",)),
    Mistake("Model files", "a text file in place of a model", "check notes.txt", ("notes.txt",)),
    Mistake("Model files", "a folder in place of a model", "check faces", ("faces",)),
    Mistake(
        "Model files",
        "a run in place of its weights",
        "evaluate runs/teacher --data.format csv --data.root faces",
        ("a folder",),
    ),
    Mistake("Model files", "a runtime that was never released", "check student.tflite --runtime 2.99", ("2.99",)),
    Mistake("Model files", "a model without its sidecar", "predict photo.jpg --model alone.tflite", ("alone.json",)),
    Mistake(
        "Model files",
        "a file that is no detector of a known kind",
        "predict photo.jpg --detector alone.tflite",
        ("alone.tflite", "outputs", "YuNet", "SCRFD", "UltraFace"),
    ),
    Mistake(
        "Model files",
        "a misspelt detector to measure",
        "evaluate retinafac --photos '[{labels: label.txt, images: photos}]'",
        ("no such file", "did you mean 'retinaface'"),
    ),
    Mistake(
        "Model files",
        "a file of labels in place of photos with boxes",
        "evaluate retinaface --photos label.txt",
        ("--photos '[{labels: LABELS, images: IMAGES}]'",),
    ),
    Mistake("Model files", "export of an exported file", "export student.tflite", ("student.tflite",)),
    Mistake(
        "Model files",
        "results in a folder that cannot be made",
        "predict photo.jpg --json notes.txt/points.json",
        ("notes.txt",),
    ),
    Mistake("Model files", "a report on something that is no run", "report faces", ("faces",)),
    Mistake("Run folders", "the name of a run that exists", RUN, ("--resume",)),
    Mistake("Run folders", "a run that is being trained", RUN + " --name locked", ("--name",)),
    Mistake(
        "Run folders",
        "resume with other options",
        f"teacher --config one_stage.yaml {OPTIONS} --resume --name other",
        ("optim.lr",),
    ),
    Mistake("Run folders", "resume with a recipe of other stages", RUN + " --resume --name other", ("config.yaml",)),
    Mistake("Run folders", "resume where nothing was trained", TEACHER + " --resume --name new", ("new",)),
    Mistake("Prediction", "no photo", "predict", ("PHOTO",)),
    Mistake("Prediction", "a photo that does not exist", "predict no_photo.jpg", ("no_photo.jpg",), 1),
    Mistake("Prediction", "a folder without photos", "predict photos", ("photos",)),
    Mistake("Prediction", "a photo that was cut short", "predict cut.jpg", ("cut.jpg",), 1),
    Mistake("Prediction", "an empty file", "predict empty.jpg", ("empty.jpg",), 1),
    Mistake("Prediction", "a text file", "predict notes.txt", ("notes.txt",), 1),
    Mistake("Prediction", "an address", "predict https://example.org/photo.jpg", ("save the photo",)),
    Mistake("Prediction", "a photo from standard input", "predict -", ("standard input",)),
    Mistake("Prediction", "a drawing over its photo", "predict notes.png --draw .", ("notes.png", "new folder")),
    Mistake("Prediction", "JSON in a CSV file", "predict photo.jpg --csv points.json", ("--json points.json",)),
    Mistake(
        "Prediction",
        "a confidence of a model that gives none",
        "predict photo.jpg --model efld_51_128 --min_confidence 0.4",
        ("--min_confidence",),
    ),
    Mistake("Prediction", "a roll that is no angle", "predict photo.jpg --max_roll 200", ("--max_roll", "180")),
    Mistake("Prediction", "a misspelt detector", "predict photo.jpg --detector retinafase", ("retinaface", ".onnx")),
    Mistake("Prediction", "two photos drawn as one file", "predict photo.jpg faces/photo.jpg --draw out", ("photo",)),
    Mistake("Contest submission", "a model of another scheme than the contest's", "submit five.tflite", ("five",)),
    Mistake(
        "Contest submission",
        "contest rules with a misspelt key",
        "submit student.tflite --contest rules.yaml",
        ("decimals",),
    ),
    Mistake(
        "Contest submission",
        "contest rules that do not exist",
        "submit student.tflite --contest icme.yaml",
        ("icme.yaml",),
    ),
    Mistake(
        "Contest submission", "a checkpoint in place of a TFLite file", "submit runs/teacher/last.ckpt", (".tflite",)
    ),
    Mistake("Contest submission", "a package that is no zip", "submit student.tflite --out x.txt", ("--out", ".zip")),
    Mistake(
        "Contest submission",
        "a dry run on a folder without photos",
        "submit student.tflite --photos photos",
        ("--photos",),
    ),
)
