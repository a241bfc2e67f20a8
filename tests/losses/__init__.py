"""Tests of what is special about each family of losses."""
