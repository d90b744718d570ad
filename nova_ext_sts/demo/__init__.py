# SPDX-License-Identifier: Apache-2.0
"""A small Compute API over SQLite, to try the filter."""
