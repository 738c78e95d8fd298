"""``python -m ecgstream``."""

from ecgstream.commands.main import main

main()
