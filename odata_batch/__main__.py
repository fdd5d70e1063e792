"""`python -m odata_batch`: the command line, as `odata-batch`."""

import sys

from odata_batch._cli.main import main as main

if __name__ == "__main__":
    sys.exit(main())
