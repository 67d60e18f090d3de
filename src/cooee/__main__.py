"""``python -m cooee`` is the command ``cooee``."""

from cooee.cli import main

main()
