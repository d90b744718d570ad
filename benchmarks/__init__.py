"""What the filter costs, measured against its budgets.

``python -m benchmarks`` runs all groups; ``tox -e bench`` has their libraries.
"""
