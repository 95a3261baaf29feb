"""Tests of roman."""
