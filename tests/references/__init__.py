"""The losses again, written from their definitions with plain loops and the math module.

A reference gets NumPy arrays of one unit each (``y_pred``, ``y_true``) and the hyper-parameters, and returns the
value of that unit; a whole-batch reference gets everything. Nothing here may share an expression with the library.
"""
