"""Synthetic faces rendered from a built-in 3-D head model, with exact landmarks; no data needed."""

from distill.data.synthetic.render import GeneratedFace, render_face
from distill.data.synthetic.sheet import contact_sheet, draw_landmarks
from distill.data.synthetic.write import write_faces

__all__ = ["GeneratedFace", "contact_sheet", "draw_landmarks", "render_face", "write_faces"]
