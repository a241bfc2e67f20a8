"""The workbench: fit a model with an objective on a table, and report what came of it.

Everything here needs the extra ``workbench``; the library itself never imports it.
"""
