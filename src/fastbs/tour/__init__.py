"""What ``python -m fastbs`` does, as a user of fastbs would write it: only public names are used here.

table -> task -> network -> training -> report, pictures; ``fastbs.__main__`` puts them in order.
"""
