"""`python -m waymark` is the same as `waymark`."""

from waymark.main import main

main()
