"""Constants that bring BlazeFace's boxes to the training convention, the tight box of the 68 points.

Printed by `python -m scripts.generate.calibrate_detector ROOT_OF_300W`, which describes the measurement: on the
1345 faces of the *train* folders of 300-W lfpw and helen; medians for the two nets' own boxes, least squares (with
mirrored and turned copies) for the table that predicts the box from the six points of the refinement.
"""

import numpy as np

# (scale x, scale y, shift x, shift y) in units of the net's own box.
SHORT_RANGE_BOX = (0.9333, 0.9148, 0.0000, 0.0574)
FULL_RANGE_BOX = (0.8711, 0.8570, 0.0000, 0.0929)

# Rows: 1, then x and y of the image-left eye, image-right eye, nose, mouth, image-left ear, image-right ear, relative
# to the centre and in units of the side of BlazeFace's box. Columns: width, height, centre x, centre y of the face
# box in the same units.
POINTS_TO_BOX = np.array(
    [
        [0.7952, 0.8623, 0.0000, -0.2513],
        [-0.0464, -3.5469, -0.8640, 1.0455],
        [5.8185, 4.6288, 1.4684, -1.7619],
        [0.0464, 3.5469, -0.8640, -1.0455],
        [5.8185, 4.6288, -1.4684, -1.7619],
        [0.0000, 0.0000, 1.1072, 0.0000],
        [-11.9461, -11.9595, 0.0000, 3.1913],
        [0.0000, 0.0000, -0.1779, 0.0000],
        [10.0321, 11.4641, 0.0000, -1.6657],
        [-0.5961, 2.1342, -0.0615, -0.4801],
        [-0.6726, -0.4767, -1.0368, 0.5352],
        [0.5961, -2.1342, -0.0615, 0.4801],
        [-0.6726, -0.4767, 1.0368, 0.5352],
    ]
)
