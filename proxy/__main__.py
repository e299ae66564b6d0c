"""``python -m proxy`` is ``countermark``."""

from proxy.cli import main

if __name__ == "__main__":
    main()
