"""The command line: flags become one call of the study, whose tables are printed."""
