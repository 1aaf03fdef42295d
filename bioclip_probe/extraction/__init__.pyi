from . import embed as embed
from . import extract as extract
from . import pipeline as pipeline
from . import prompts as prompts
from . import text as text
from . import text_reader as text_reader
