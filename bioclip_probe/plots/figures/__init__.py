"""The figures of a study, one a file: the rows that a figure needs, how it is drawn, its heading and its caption."""
