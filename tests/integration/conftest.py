# SPDX-License-Identifier: ISC
"""See conftest_base.py, which the tests of real engines share."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from conftest_base import *   # noqa: E402,F401,F403
