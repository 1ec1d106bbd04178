"""Memory: H-MEM, the Sidekick's Scrapbook. Episodes, their summaries, and how to find them."""
