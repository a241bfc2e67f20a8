"""``python -m torchobjectives``: the command line."""

from torchobjectives.cli import main

if __name__ == "__main__":
    main()
