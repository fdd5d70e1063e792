"""`python -m odata_batch`: the command line, as `odata-batch`."""

import sys

from odata_batch._cli import main

sys.exit(main())
