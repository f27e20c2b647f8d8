"""The command line's verbs, a file for each subject; `slipway.__main__` puts them together."""
