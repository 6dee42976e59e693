"""Bytes and text, one format a module."""
