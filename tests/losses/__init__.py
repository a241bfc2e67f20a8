"""Tests of single families: identities, fixtures, tails, calibration, messages."""
