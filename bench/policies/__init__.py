"""The policies that are measured, written by hand or generated."""
