"""How well do vision models' embeddings follow the tree of life?"""

__version__ = "0.1.0"
