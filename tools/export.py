"""nbdev-export, with a line for each cell that it refuses, and no traceback."""
import sys

from nbdev.doclinks import nbdev_export

from minifastai.export import ExportError


def main() -> int:
    "Export all notebooks; 1 if a cell is refused: then nothing is written"
    try: nbdev_export()
    except ExportError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__': sys.exit(main())
