"""Print the Roman numeral of the first argument."""

import sys

from roman import to_roman

sys.stdout.write(to_roman(int(sys.argv[1])) + "\n")
