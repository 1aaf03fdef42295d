"""The choices of the explorer; importing this module is cheap, so that the command line reads them."""

#: Choices of the pictures that have a thumbnail; see `thumbnails.thumbnails_of`.
THUMBNAILS = ("auto", "all", "species", "none")
#: The file of the page in a results folder.
FILE = "explorer.html"
#: `reproduce` writes the page of studies of up to so many images, and each of them has its own thumbnail.
MOST_PICTURES = 10_000
