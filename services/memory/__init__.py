"""Memory: H-MEM, the Sidekick's Scrapbook. Episodes, their summaries, and how to find them."""

import os

# Lance writes plain warnings of its own to stderr, among them one for every commit conflict, which
# we retry. It reads this once, when it is loaded.
os.environ.setdefault("LANCEDB_LOG", "error")
