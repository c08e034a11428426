"""Files and tables, whatever they hold: where they lie, how they are read and written, what made them.

It knows no astronomy and has no door: import the module.
"""
