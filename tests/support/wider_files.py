"""Cell arrays of WIDER FACE's official `.mat` files."""

import numpy as np


def cells(*values: object) -> np.ndarray:
    """Return values as a column of MATLAB cells."""
    column = np.empty((len(values), 1), object)
    for index, value in enumerate(values):
        column[index, 0] = value
    return column
