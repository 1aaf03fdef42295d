"""The choices of the explorer; importing this module is cheap, so that the command line reads them."""

#: Which pictures have a thumbnail; see `thumbnails.thumbnails_of`.
THUMBNAILS = ("auto", "all", "species", "none")
