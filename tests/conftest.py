"""What every test finds: a terminal wide enough for tables, whichever command printed first in this process."""

import os

os.environ["COLUMNS"] = "200"  # read once, when the consoles are made
