"""The command line, a module a command.

What a command needs is imported when it runs: ``--help`` and an error in the options come at once, and ``doctor`` works
on a machine where something is broken. So these modules import nothing at their top but typer, what it needs to read
the options, and the errors.
"""
