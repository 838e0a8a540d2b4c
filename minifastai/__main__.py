"`python -m minifastai` is the `minifastai` command."
import sys
from minifastai.cli import main

if __name__=='__main__': sys.exit(main())
